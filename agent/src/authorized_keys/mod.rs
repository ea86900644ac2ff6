//! Adds keys to the file in which sshd looks for them.

pub(crate) mod sshd;

pub(crate) use sshd::files;

use crate::accounts::{Accounts, User};
use crate::people;
use crate::report::Report;
use crate::root::{self, Rights, Root};
use anyhow::{Context, Result, bail};
use rustix::fs::{self, FileType, Mode, OFlags};
use rustix::io::Errno;
use std::io::Read;
use std::os::fd::OwnedFd;

/// The permissions with which others could exchange the keys, in a directory on the way.
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// Debian's home of those who are to have none.
const NO_HOME: &str = "/nonexistent";

/// Adds keys to the first of the user's files that can be used, and otherwise to `~/.ssh/authorized_keys`. The user
/// owns the home directory and may have put links there, so none is followed.
pub(crate) fn add(user: &str, keys: &[String], root: &Root, report: &mut Report) -> Result<()> {
    let accounts = Accounts::read(root)?;
    let Some(user) = accounts.user(user) else { bail!("there is no such user") };
    let usual = format!("{}/.ssh/authorized_keys", user.home.trim_end_matches('/'));
    let files = sshd::files(user, &accounts, root).unwrap_or_else(|error| {
        report.warn(format!("{error:#} (the keys of {} go to {usual})", user.name));
        vec![usual.clone()]
    });
    if files.is_empty() {
        report.warn(format!(
            "sshd's AuthorizedKeysFile names no file of {}'s own, so the keys in {usual} let nobody in",
            user.name
        ));
    }
    let mut problem = None;
    for path in files.iter().chain([&usual]) {
        match add_to(path, user, keys, root) {
            Ok(()) => {
                if let Some(problem) = problem {
                    report.warn(format!("{problem:#} (the keys of {} go to {path})", user.name));
                }
                return Ok(());
            }
            Err(error) => {
                problem.get_or_insert(error);
            }
        }
    }
    problem.map_or(Ok(()), Err)
}

fn add_to(path: &str, user: &User, keys: &[String], root: &Root) -> Result<()> {
    let owner = Some((user.uid, user.gid));
    let (directory, name) = path.rsplit_once('/').context("it is no path")?;
    let home = user.home.trim_end_matches('/');
    let in_home = directory.strip_prefix(home).filter(|rest| rest.is_empty() || rest.starts_with('/'));
    let directory = match in_home {
        Some(rest) => walk(open_home(user, root)?, rest, Keeper::User(user)),
        None => walk(root.open_directory("/")?, directory, Keeper::System(user)),
    };
    let directory = directory.with_context(|| format!("open the directory of {path}"))?;
    let old = read_regular(&directory, name).with_context(|| format!("read {path}"))?;
    let text = with_keys(&String::from_utf8_lossy(&old), keys);
    if text.as_bytes() != old {
        let rights = Rights { mode: 0o600, owner };
        root::replace(&directory, name, text.as_bytes(), rights).with_context(|| format!("write {path}"))?;
    }
    Ok(())
}

/// An image may lack the home directory of root or of a service, and nobody else makes it.
fn open_home(user: &User, root: &Root) -> Result<OwnedFd> {
    if user.home != NO_HOME && !root.holds(&user.home)? {
        root.make_directory(&user.home)?;
        let rights = Rights { mode: 0o700, owner: Some((user.uid, user.gid)) };
        root::give(root.open_directory(&user.home)?, rights)?;
    }
    root.open_directory(&user.home)
}

/// The owner that the directories on the way may have.
#[derive(Clone, Copy)]
enum Keeper<'a> {
    /// The user's, in the home directory.
    User(&'a User),
    /// The system's; the user must get through.
    System(&'a User),
}

/// Opens a directory below another one, and makes what is missing.
fn walk(mut directory: OwnedFd, path: &str, keeper: Keeper<'_>) -> Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    for name in path.split('/').filter(|name| !name.is_empty()) {
        directory = match fs::openat(&directory, name, flags, Mode::empty()) {
            Err(Errno::NOENT) => {
                fs::mkdirat(&directory, name, Mode::from_raw_mode(0o700))?;
                let made = fs::openat(&directory, name, flags, Mode::empty())?;
                root::give(
                    &made,
                    match keeper {
                        Keeper::User(user) => Rights { mode: 0o700, owner: Some((user.uid, user.gid)) },
                        Keeper::System(_) => Rights::mode(0o755),
                    },
                )?;
                made
            }
            other => other.with_context(|| format!("open {name}"))?,
        };
        if let Keeper::System(user) = keeper {
            check(&directory, user).with_context(|| format!("use {name}"))?;
        }
    }
    Ok(directory)
}

/// sshd takes no keys from below a directory in which others can write, or through which the user cannot get.
fn check(directory: &OwnedFd, user: &User) -> Result<()> {
    let stat = fs::fstat(directory)?;
    let is_users = stat.st_uid == user.uid;
    if stat.st_mode & WRITABLE_BY_OTHERS != 0 || !is_users && stat.st_uid != 0 {
        bail!("others can write there, so sshd takes no keys from it");
    }
    if !is_users && stat.st_mode & 0o001 == 0 {
        bail!("{} cannot read there", user.name);
    }
    Ok(())
}

/// The content of a regular file; empty if it is missing. Links, devices and fifos are refused.
fn read_regular(directory: &OwnedFd, name: &str) -> Result<Vec<u8>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let fd = match fs::openat(directory, name, flags, Mode::empty()) {
        Err(Errno::NOENT) => return Ok(Vec::new()),
        other => other?,
    };
    if FileType::from_raw_mode(fs::fstat(&fd)?.st_mode) != FileType::RegularFile {
        bail!("it is no regular file");
    }
    let mut content = Vec::new();
    std::fs::File::from(fd).read_to_end(&mut content)?;
    Ok(content)
}

/// Adds the missing keys to the file's text. A key is known by its body. One that is there with other options (it let
/// root in, and is to turn away) is replaced.
fn with_keys(old: &str, keys: &[String]) -> String {
    let mut lines: Vec<&str> = old.lines().collect();
    for key in keys {
        let body = key.split_whitespace().find(|word| word.starts_with("AAAA")).unwrap_or(key);
        let is_same = |line: &&str| *line == key || line.split_whitespace().any(|word| word == body);
        let mut known = false;
        for line in lines.iter_mut().filter(|line| is_same(line) && !line.starts_with('#')) {
            known = true;
            if people::key_options(line) != people::key_options(key) {
                *line = key;
            }
        }
        if !known {
            lines.push(key);
        }
    }
    lines.iter().flat_map(|line| [line, "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    /// A root whose one user is whoever runs the test.
    fn scratch() -> (tempfile::TempDir, Root) {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::open(directory.path()).unwrap();
        let (uid, gid) = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
        root.write("etc/passwd", format!("me:x:{uid}:{gid}::/home/me:/bin/sh\n").as_bytes(), 0o644).unwrap();
        root.make_directory("home/me").unwrap();
        (directory, root)
    }

    fn authorize_me(root: &Root, key: &str) -> Result<()> {
        add("me", &[key.to_owned()], root, &mut Report::default())
    }

    #[test]
    fn keys_are_added_once_with_the_right_modes() {
        let (directory, root) = scratch();
        for key in ["ssh-rsa AAAA1 a", "ssh-rsa AAAA2 b", "ssh-rsa AAAA1 other-comment"] {
            authorize_me(&root, key).unwrap();
        }
        let file = "home/me/.ssh/authorized_keys";
        assert_eq!(root.read_text(file).unwrap().unwrap(), "ssh-rsa AAAA1 a\nssh-rsa AAAA2 b\n");
        let mode = |path: &str| directory.path().join(path).metadata().unwrap().permissions().mode() & 0o7777;
        assert_eq!((mode("home/me/.ssh"), mode(file)), (0o700, 0o600));
    }

    #[test]
    fn a_home_that_is_missing_is_made_but_for_those_who_are_to_have_none() {
        let (directory, root) = scratch();
        let passwd = root.read_text("etc/passwd").unwrap().unwrap();
        for (home, is_made) in [("/run/service", true), ("/nonexistent", false)] {
            root.write("etc/passwd", passwd.replace("/home/me", home).as_bytes(), 0o644).unwrap();
            assert_eq!(authorize_me(&root, "ssh-rsa AAAA").is_ok(), is_made, "{home}");
            let path = directory.path().join(home.trim_start_matches('/'));
            let mode = path.metadata().map(|home| home.permissions().mode() & 0o7777);
            assert_eq!(mode.ok(), is_made.then_some(0o700), "{home}");
        }
    }

    #[test]
    fn links_of_the_user_are_not_followed() {
        let (directory, root) = scratch();
        root.make_directory("etc/target").unwrap();
        symlink("/etc/target", directory.path().join("home/me/.ssh")).unwrap();
        assert!(authorize_me(&root, "k").is_err());
        std::fs::remove_file(directory.path().join("home/me/.ssh")).unwrap();
        root.make_directory("home/me/.ssh").unwrap();
        symlink("/etc/passwd", directory.path().join("home/me/.ssh/authorized_keys")).unwrap();
        assert!(authorize_me(&root, "k").is_err());
        assert!(root.files("etc/target").unwrap().is_empty());
        assert!(!root.read_text("etc/passwd").unwrap().unwrap().contains("k\n"));
    }

    #[test]
    fn a_user_who_is_not_there_gets_no_keys() {
        let (_directory, root) = scratch();
        assert!(
            add("nobody", &["k".into()], &root, &mut Report::default())
                .unwrap_err()
                .to_string()
                .contains("no such user")
        );
    }

    #[test]
    fn a_key_whose_options_change_is_replaced() {
        let (_directory, root) = scratch();
        let file = "home/me/.ssh/authorized_keys";
        let guarded = "no-pty,command=\"echo no\" ssh-rsa AAAA1 a";
        for (key, text) in [
            ("ssh-rsa AAAA1 a", "ssh-rsa AAAA1 a\n".to_owned()),
            (guarded, format!("{guarded}\n")),
            ("ssh-rsa AAAA2", format!("{guarded}\nssh-rsa AAAA2\n")),
            ("ssh-rsa AAAA1 a", "ssh-rsa AAAA1 a\nssh-rsa AAAA2\n".to_owned()),
        ] {
            authorize_me(&root, key).unwrap();
            assert_eq!(root.read_text(file).unwrap().unwrap(), text);
        }
    }

    /// Adds a key where sshd's configuration is this: the file that it is in, and what was told.
    fn added(config: &str, set_up: impl Fn(&Root)) -> (String, Vec<String>) {
        let (_directory, root) = scratch();
        root.write("etc/ssh/sshd_config", config.as_bytes(), 0o644).unwrap();
        set_up(&root);
        let mut report = Report::default();
        add("me", &["ssh-rsa AAAA1".into()], &root, &mut report).unwrap();
        let files = [
            "home/me/.ssh/authorized_keys",
            "home/me/.ssh/keys",
            "home/me/a/b",
            "etc/keys/me/all",
            "etc/keys/me",
        ];
        let has = |file: &&&str| {
            root.read_text(file).is_ok_and(|text| text.is_some_and(|text| text.contains("AAAA1")))
        };
        (files.iter().find(has).map_or_else(String::new, |file| (*file).to_owned()), report.warnings)
    }

    #[test]
    fn the_file_is_the_first_that_sshd_takes() {
        for (config, file) in [
            ("", "home/me/.ssh/authorized_keys"),
            ("AuthorizedKeysFile .ssh/keys", "home/me/.ssh/keys"),
            ("AuthorizedKeysFile %h/a/b .ssh/keys", "home/me/a/b"),
            ("AuthorizedKeysFile /etc/keys/%u/all .ssh/keys", "etc/keys/me/all"),
            ("AuthorizedKeysFile /etc/keys/%u", "etc/keys/me"),
        ] {
            assert_eq!(added(config, |_| {}), (file.to_owned(), vec![]), "{config}");
        }
        let (file, told) = added("AuthorizedKeysFile /etc/keys/all", |_| {});
        assert_eq!(file, "home/me/.ssh/authorized_keys");
        assert_eq!(
            told,
            [
                "sshd's AuthorizedKeysFile names no file of me's own, so the keys in /home/me/.ssh/authorized_keys let nobody in"
            ]
        );
    }

    #[test]
    fn where_others_can_write_no_keys_are_put() {
        let config = "AuthorizedKeysFile /etc/keys/%u .ssh/keys";
        for (mode, reason) in [(0o777, "others can write there"), (0o775, "others can write there")] {
            let (file, told) = added(config, |root| {
                root.make_directory("etc/keys").unwrap();
                root::give(root.open_directory("etc/keys").unwrap(), Rights::mode(mode)).unwrap();
            });
            assert_eq!(file, "home/me/.ssh/keys");
            assert!(
                told.len() == 1
                    && told[0].contains(reason)
                    && told[0].ends_with("(the keys of me go to /home/me/.ssh/keys)"),
                "{told:?}"
            );
        }
        let (file, told) = added(config, |root| symlink("/home", root.show("etc/keys")).unwrap());
        assert_eq!((file.as_str(), told.len()), ("home/me/.ssh/keys", 1));
    }
}
