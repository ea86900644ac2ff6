//! Many files at once.

use super::{Root, TEMPORARY, split, write_temporary};
use crate::plan::File;
use anyhow::{Context, Result};
use rustix::fs;
use std::os::fd::OwnedFd;

impl Root {
    /// Writes files: all under temporary names, which are on the disk together before any of them gets its
    /// own. A file that cannot be written costs only itself: the errors.
    pub(crate) fn write_together(&self, files: &[File], below: &str) -> Result<Vec<anyhow::Error>> {
        self.write_with(files, || self.sync(&[below]))
    }

    fn write_with(&self, files: &[File], sync: impl FnOnce() -> Result<()>) -> Result<Vec<anyhow::Error>> {
        let mut errors = Vec::new();
        let mut written = Vec::new();
        let mut last: Option<(&str, OwnedFd)> = None;
        for (number, file) in files.iter().enumerate() {
            // No name is long enough to tell all others apart.
            let temporary = format!(".{number}{TEMPORARY}");
            let prepared = self.prepare(file, &temporary, &mut last);
            match prepared.with_context(|| format!("write {}", self.show(&file.path))) {
                Ok(()) => written.push((file, temporary)),
                Err(error) => errors.push(error),
            }
        }
        sync()?;
        for (file, temporary) in written {
            let renamed = self.rename(file, &temporary, &mut last);
            if let Err(error) = renamed.with_context(|| format!("write {}", self.show(&file.path))) {
                errors.push(error);
            }
        }
        Ok(errors)
    }

    fn prepare<'a>(
        &self,
        file: &'a File,
        temporary: &str,
        last: &mut Option<(&'a str, OwnedFd)>,
    ) -> Result<()> {
        let (fd, _) = self.opened(file, last)?;
        write_temporary(fd, temporary, &file.content, file.rights(None))
    }

    fn rename<'a>(
        &self,
        file: &'a File,
        temporary: &str,
        last: &mut Option<(&'a str, OwnedFd)>,
    ) -> Result<()> {
        let (fd, name) = self.opened(file, last)?;
        let renamed = fs::renameat(fd, temporary, fd, name);
        if renamed.is_err() {
            fs::unlinkat(fd, temporary, fs::AtFlags::empty())?;
        }
        Ok(renamed?)
    }

    /// The directory of a file, which is mostly that of the one before, and its name there.
    fn opened<'a, 'l>(
        &self,
        file: &'a File,
        last: &'l mut Option<(&'a str, OwnedFd)>,
    ) -> Result<(&'l OwnedFd, &'a str)> {
        let (directory, name) = split(&file.path)?;
        let kept = last.take().filter(|(path, _)| *path == directory);
        let opened = match kept {
            Some(kept) => kept,
            None => (directory, self.directory(directory)?),
        };
        Ok((&last.insert(opened).1, name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_written_costs_only_itself() {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::open(directory.path()).unwrap();
        root.write("in-the-way", b"", 0o600).unwrap();
        root.make_directory("d/taken").unwrap();
        let files: Vec<_> =
            ["d/a", "in-the-way/b", "d/taken", "e/c", "d/d"].map(|path| File::new(path, path, 0o640)).into();
        let errors = root.write_together(&files, "").unwrap();
        let errors: Vec<_> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(
            errors,
            [format!("write {}", root.show("in-the-way/b")), format!("write {}", root.show("d/taken"))]
        );
        assert_eq!(root.files("d").unwrap(), ["a", "d"]);
        assert_eq!(root.read("e/c").unwrap().unwrap(), b"e/c");
    }

    #[test]
    fn all_is_written_when_it_is_synced_and_nothing_has_its_name_before() {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::open(directory.path()).unwrap();
        root.write("d/a", b"old", 0o600).unwrap();
        let files: Vec<_> = ["d/a", "d/b", "e/c"].map(|path| File::new(path, "new", 0o640)).into();
        let look = || {
            let new = [".0", ".1"].map(|number| format!("{number}{TEMPORARY}"));
            let names = root.names("d").unwrap();
            assert_eq!(names, [new[0].as_str(), new[1].as_str(), "a"]);
            for path in [format!("d/{}", new[0]), format!("d/{}", new[1]), format!("e/.2{TEMPORARY}")] {
                assert_eq!(root.read(&path).unwrap().unwrap(), b"new", "{path}");
            }
            assert_eq!(root.read("d/a").unwrap().unwrap(), b"old");
            assert_eq!(root.files("e").unwrap(), [""; 0]);
        };
        let failed = root.write_with(&files, || {
            look();
            anyhow::bail!("the disk is gone")
        });
        assert!(failed.is_err());
        assert_eq!(root.read("d/a").unwrap().unwrap(), b"old");
        let errors = root.write_with(&files, || {
            look();
            Ok(())
        });
        assert!(errors.unwrap().is_empty());
        assert_eq!(
            (root.names("d").unwrap(), root.names("e").unwrap()),
            (vec!["a".into(), "b".into()], vec!["c".into()])
        );
        assert_eq!(root.read("d/a").unwrap().unwrap(), b"new");
    }
}
