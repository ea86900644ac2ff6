//! Serves a tree to a guest over NFS, version 3, read-only.

use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;

use anyhow::{Context, Result};
use lifeboat_qemu::seed_server::HOST;
use nfs3_server::fs_util::metadata_to_fattr3;
use nfs3_server::nfs3_types::nfs3::{fattr3, filename3, nfspath3, nfsstat3};
use nfs3_server::tcp::{NFSTcp, NFSTcpListener};
use nfs3_server::vfs::{DirEntryPlus, FileHandleU64, NextResult, NfsReadFileSystem, ReadDirPlusIterator};
use tokio::sync::oneshot;

/// A server on this machine's loopback, until it is dropped.
#[derive(Debug)]
pub(crate) struct NfsServer {
    port: u16,
    _until_dropped: oneshot::Sender<()>,
}

impl NfsServer {
    /// Serves what is in a folder now.
    pub(crate) fn new(folder: &Path) -> Result<Self> {
        let tree = Tree::of(folder)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.context("prepare to serve")?;
        let (until_dropped, dropped) = oneshot::channel();
        let (bound, port) = mpsc::channel();
        thread::spawn(move || {
            runtime.block_on(async {
                let listener = NFSTcpListener::bind_ro(&format!("{}:0", Ipv4Addr::LOCALHOST), tree).await;
                let port = listener.as_ref().map(NFSTcp::get_listen_port).map_err(ToString::to_string);
                let (Ok(()), Ok(listener)) = (bound.send(port), listener) else { return };
                // A guest that hangs up is not our failure: its test fails.
                tokio::select! { _ = listener.handle_forever() => {}, _ = dropped => {} }
            });
        });
        let port = port.recv().context("wait for the server")?;
        let port = port.map_err(anyhow::Error::msg).context("listen for guests")?;
        Ok(Self { port, _until_dropped: until_dropped })
    }

    /// Its parameters on the kernel command line.
    pub(crate) fn parameter(&self) -> String {
        let port = self.port;
        format!("root=/dev/nfs ip=dhcp nfsroot={HOST}:/,vers=3,proto=tcp,port={port},mountport={port}")
    }
}

/// All files; a handle is the place of one, counted from 1.
#[derive(Debug)]
struct Tree(Vec<Node>);

#[derive(Debug)]
struct Node {
    path: PathBuf,
    children: Vec<FileHandleU64>,
}

impl Tree {
    fn of(folder: &Path) -> Result<Self> {
        let mut tree = Self(Vec::new());
        tree.add(folder).with_context(|| format!("walk {}", folder.display()))?;
        Ok(tree)
    }

    fn add(&mut self, path: &Path) -> std::io::Result<FileHandleU64> {
        let place = self.0.len();
        self.0.push(Node { path: path.to_owned(), children: Vec::new() });
        let mut children = Vec::new();
        if fs::symlink_metadata(path)?.is_dir() {
            for entry in fs::read_dir(path)? {
                children.push(self.add(&entry?.path())?);
            }
        }
        if let Some(node) = self.0.get_mut(place) {
            node.children = children;
        }
        Ok(FileHandleU64::new(place as u64 + 1))
    }

    fn node(&self, handle: FileHandleU64) -> Result<&Node, nfsstat3> {
        let place = usize::try_from(handle.as_u64()).ok().and_then(|place| place.checked_sub(1));
        place.and_then(|place| self.0.get(place)).ok_or(nfsstat3::NFS3ERR_STALE)
    }

    fn attributes(&self, handle: FileHandleU64) -> Result<fattr3, nfsstat3> {
        let metadata = fs::symlink_metadata(&self.node(handle)?.path).map_err(error)?;
        // Root's, whoever made the tree.
        Ok(fattr3 { uid: 0, gid: 0, ..metadata_to_fattr3(handle.as_u64(), &metadata) })
    }
}

fn error(_: std::io::Error) -> nfsstat3 {
    nfsstat3::NFS3ERR_IO
}

impl NfsReadFileSystem for Tree {
    type Handle = FileHandleU64;

    fn root_dir(&self) -> FileHandleU64 {
        FileHandleU64::new(1)
    }

    async fn lookup(&self, folder: &FileHandleU64, name: &filename3<'_>) -> Result<FileHandleU64, nfsstat3> {
        for child in &self.node(*folder)?.children {
            if self.node(*child)?.name() == name.as_ref() {
                return Ok(*child);
            }
        }
        Err(nfsstat3::NFS3ERR_NOENT)
    }

    async fn getattr(&self, handle: &FileHandleU64) -> Result<fattr3, nfsstat3> {
        self.attributes(*handle)
    }

    async fn read(&self, file: &FileHandleU64, from: u64, length: u32) -> Result<(Vec<u8>, bool), nfsstat3> {
        let file = fs::File::open(&self.node(*file)?.path).map_err(error)?;
        let mut content = vec![0; length as usize];
        let read = file.read_at(&mut content, from).map_err(error)?;
        content.truncate(read);
        let size = file.metadata().map_err(error)?.len();
        Ok((content, from + read as u64 >= size))
    }

    async fn readdirplus(
        &self,
        folder: &FileHandleU64,
        after: u64,
    ) -> Result<impl ReadDirPlusIterator<FileHandleU64>, nfsstat3> {
        let mut entries = Vec::new();
        for handle in &self.node(*folder)?.children {
            entries.push(DirEntryPlus {
                fileid: handle.as_u64(),
                name: self.node(*handle)?.name().to_vec().into(),
                cookie: handle.as_u64(),
                name_attributes: Some(self.attributes(*handle)?),
                name_handle: Some(*handle),
            });
        }
        // They were walked in this order.
        entries.retain(|entry| entry.cookie > after);
        Ok(Entries(entries.into_iter()))
    }

    async fn readlink(&self, link: &FileHandleU64) -> Result<nfspath3<'_>, nfsstat3> {
        let target = fs::read_link(&self.node(*link)?.path).map_err(error)?;
        Ok(target.as_os_str().as_bytes().to_vec().into())
    }
}

impl Node {
    fn name(&self) -> &[u8] {
        self.path.file_name().unwrap_or_default().as_bytes()
    }
}

struct Entries(std::vec::IntoIter<DirEntryPlus<FileHandleU64>>);

impl ReadDirPlusIterator<FileHandleU64> for Entries {
    async fn next(&mut self) -> NextResult<DirEntryPlus<FileHandleU64>> {
        self.0.next().map_or(NextResult::Eof, NextResult::Ok)
    }
}
