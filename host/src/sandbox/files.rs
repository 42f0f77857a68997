//! What a guest may open in the directories it was granted: files and directories, nothing else, and few lists.
//!
//! To open a FIFO blocks for as long as nobody opens its other end, and a device may block too. The thread that
//! waits is one of those on which the file calls of all guests run, and no limit of the guest's gives it back.
//!
//! wasmtime-wasi reads the whole list of a directory into the host's memory, where no limiter sees it, and keeps what
//! the guest has not taken of it.

use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi::filesystem::{Descriptor, WasiFilesystemCtxView, WasiFilesystemView as _};
use wasmtime_wasi::p2::FsError;
use wasmtime_wasi::p2::bindings::filesystem::types::{
    DescriptorFlags, DescriptorType, DirectoryEntryStream, ErrorCode, HostDescriptor as _, OpenFlags, PathFlags,
};

use crate::sandbox::store::Guest;

/// Lists of directories that an instance may have open. Who walks a tree has one for each level he is deep.
const LISTS_MAX: usize = 32;

/// The arguments of `open-at`.
type Opening = (Resource<Descriptor>, PathFlags, String, OpenFlags, DescriptorFlags);

/// Puts our `open-at` and `read-directory` in the place of those of wasmtime-wasi, which are in `linker` already.
///
/// # Errors
/// None in practice: the names are those of wasmtime-wasi.
pub(super) fn add_to_linker(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    let mut types = linker.instance("wasi:filesystem/types@0.2.12")?;
    types.func_wrap_async(
        "[method]descriptor.open-at",
        |mut store: StoreContextMut<'_, Guest>, opening: Opening| {
            Box::new(async move { Ok((open_at(&mut store.data_mut().filesystem(), opening).await?,)) })
        },
    )?;
    types.func_wrap_async(
        "[method]descriptor.read-directory",
        |mut store: StoreContextMut<'_, Guest>, (dir,): (Resource<Descriptor>,)| {
            Box::new(async move { Ok((read_directory(&mut store.data_mut().filesystem(), dir).await?,)) })
        },
    )?;
    linker.allow_shadowing(false);
    Ok(())
}

/// Opens what is a file, a directory or not there yet. Who swaps one for a FIFO just in between gets it opened: that
/// takes somebody who puts FIFOs into the directory, which no guest can.
async fn open_at(
    files: &mut WasiFilesystemCtxView<'_>,
    (dir, path_flags, path, open_flags, flags): Opening,
) -> wasmtime::Result<Result<Resource<Descriptor>, ErrorCode>> {
    let borrowed = Resource::new_borrow(dir.rep());
    if !may_open(files, borrowed, path_flags, path.clone()).await {
        return Ok(Err(ErrorCode::NotPermitted));
    }
    told(files.open_at(dir, path_flags, path, open_flags, flags).await)
}

async fn may_open(
    files: &mut WasiFilesystemCtxView<'_>,
    dir: Resource<Descriptor>,
    path_flags: PathFlags,
    path: String,
) -> bool {
    // As if a FIFO was put there after the look.
    fail::fail_point!("open_unseen", |_| true);
    match files.stat_at(dir, path_flags, path).await {
        Ok(stat) => matches!(
            stat.type_,
            // A symbolic link that is not to be followed is refused by the operating system.
            DescriptorType::RegularFile | DescriptorType::Directory | DescriptorType::SymbolicLink
        ),
        // To open it says why, or makes it.
        Err(_) => true,
    }
}

/// Lists a directory, unless too many lists are open.
async fn read_directory(
    files: &mut WasiFilesystemCtxView<'_>,
    dir: Resource<Descriptor>,
) -> wasmtime::Result<Result<Resource<DirectoryEntryStream>, ErrorCode>> {
    if files.table.iter_mut().filter(|handle| handle.is::<DirectoryEntryStream>()).count() >= LISTS_MAX {
        return Ok(Err(ErrorCode::InsufficientMemory));
    }
    told(files.read_directory(dir).await)
}

/// What the guest is told, and what ends it.
fn told<T>(outcome: Result<T, FsError>) -> wasmtime::Result<Result<T, ErrorCode>> {
    match outcome {
        Ok(done) => Ok(Ok(done)),
        Err(error) => error.downcast().map(Err),
    }
}

#[cfg(test)]
mod tests {
    use wasmtime::component::ResourceTable;
    use wasmtime_wasi::p2::bindings::filesystem::preopens::Host as _;
    use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxView, WasiView};

    use super::*;

    struct Wasi(WasiCtx, ResourceTable);

    impl WasiView for Wasi {
        fn ctx(&mut self) -> WasiCtxView<'_> {
            WasiCtxView { ctx: &mut self.0, table: &mut self.1 }
        }
    }

    #[tokio::test]
    async fn no_more_lists_of_directories_are_open_than_may_be() {
        let dir = tempfile::tempdir().unwrap();
        let mut builder = WasiCtx::builder();
        builder.preopened_dir(dir.path(), "/data", FsPerms::ReadOnly).unwrap();
        let mut wasi = Wasi(builder.build(), ResourceTable::new());
        let mut files = wasi.filesystem();
        let (granted, _) = files.get_directories().unwrap().remove(0);
        let again = || Resource::new_borrow(granted.rep());
        let mut lists = Vec::new();
        for _ in 0..LISTS_MAX {
            lists.push(read_directory(&mut files, again()).await.unwrap().unwrap());
        }
        let refused = read_directory(&mut files, again()).await.unwrap().unwrap_err();
        assert_eq!(refused, ErrorCode::InsufficientMemory);
        files.table.delete(lists.remove(0)).unwrap();
        read_directory(&mut files, again()).await.unwrap().unwrap();
    }
}
