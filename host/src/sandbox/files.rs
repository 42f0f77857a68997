//! What a guest may open in the directories it was granted: files and directories, nothing else.
//!
//! To open a FIFO blocks for as long as nobody opens its other end, and a device may block too. The thread that
//! waits is one of those on which the file calls of all guests run, and no limit of the guest's gives it back.

use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi::filesystem::{Descriptor, WasiFilesystemCtxView, WasiFilesystemView as _};
use wasmtime_wasi::p2::bindings::filesystem::types::{
    DescriptorFlags, DescriptorType, ErrorCode, HostDescriptor as _, OpenFlags, PathFlags,
};

use crate::sandbox::store::Guest;

/// The arguments of `open-at`.
type Opening = (Resource<Descriptor>, PathFlags, String, OpenFlags, DescriptorFlags);

/// Puts our `open-at` in the place of that of wasmtime-wasi, which is in `linker` already.
///
/// # Errors
/// None in practice: the name is that of wasmtime-wasi.
pub(super) fn add_to_linker(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    linker.instance("wasi:filesystem/types@0.2.12")?.func_wrap_async(
        "[method]descriptor.open-at",
        |mut store: StoreContextMut<'_, Guest>, opening: Opening| {
            Box::new(async move { Ok((open_at(&mut store.data_mut().filesystem(), opening).await?,)) })
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
    if let Ok(stat) = files.stat_at(borrowed, path_flags, path.clone()).await {
        match stat.type_ {
            // A symbolic link that is not to be followed is refused by the operating system.
            DescriptorType::RegularFile | DescriptorType::Directory | DescriptorType::SymbolicLink => {}
            _ => return Ok(Err(ErrorCode::NotPermitted)),
        }
    }
    match files.open_at(dir, path_flags, path, open_flags, flags).await {
        Ok(opened) => Ok(Ok(opened)),
        Err(error) => error.downcast().map(Err),
    }
}
