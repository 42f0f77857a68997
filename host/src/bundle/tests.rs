//! Tests of bundles and asks: what is written is read again, and nothing hostile is.

mod asks;
mod hostile;
mod mounts;
mod pack;
mod sections;
mod store;

use std::collections::BTreeMap;
use std::io;

use super::unpack::{Item, Max, Sink, UnpackError, unpack};

/// What the tests allow.
const MAX: Max = Max { bytes: 1 << 20, files: 100 };

/// Keeps what is unpacked in memory.
#[derive(Debug, Default)]
struct Memory {
    files: BTreeMap<String, (Vec<u8>, u64)>,
    folders: Vec<String>,
    begun: Option<(String, Vec<u8>)>,
}

impl Sink for Memory {
    fn folder(&mut self, path: &str) -> io::Result<()> {
        self.folders.push(path.to_owned());
        Ok(())
    }

    fn begin(&mut self, path: &str) -> io::Result<()> {
        assert!(self.begun.replace((path.to_owned(), Vec::new())).is_none(), "one file at a time");
        Ok(())
    }

    fn write(&mut self, part: &[u8]) -> io::Result<()> {
        self.begun.as_mut().unwrap().1.extend_from_slice(part);
        Ok(())
    }

    fn end(&mut self, modified: u64) -> io::Result<()> {
        let (path, content) = self.begun.take().unwrap();
        assert!(self.files.insert(path, (content, modified)).is_none(), "each file once");
        Ok(())
    }
}

fn unpacked(bundle: &[u8], max: &Max) -> Result<(Vec<Item>, Memory), UnpackError> {
    let mut memory = Memory::default();
    unpack(bundle, max, &mut memory).map(|items| (items, memory))
}
