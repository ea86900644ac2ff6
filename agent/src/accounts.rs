//! The users and groups that a root has.

use crate::root::Root;
use anyhow::Result;

/// /etc/passwd and /etc/group.
#[derive(Clone, Default, Debug)]
pub(crate) struct Accounts {
    users: Vec<User>,
    groups: Vec<(String, u32)>,
}

/// A line of /etc/passwd.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct User {
    /// The login name.
    pub(crate) name: String,
    /// The number.
    pub(crate) uid: u32,
    /// The number of the primary group.
    pub(crate) gid: u32,
    /// The home directory.
    pub(crate) home: String,
}

impl Accounts {
    /// Reads both files; a root without them has nobody.
    pub(crate) fn read(root: &Root) -> Result<Self> {
        let passwd = root.read_text("etc/passwd")?.unwrap_or_default();
        let group = root.read_text("etc/group")?.unwrap_or_default();
        Ok(Self::parse(&passwd, &group))
    }

    /// The accounts of two texts.
    pub(crate) fn parse(passwd: &str, group: &str) -> Self {
        let users = passwd.lines().filter_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next()?.to_owned();
            let uid = fields.nth(1)?.parse().ok()?;
            let gid = fields.next()?.parse().ok()?;
            let home = fields.nth(1)?.to_owned();
            Some(User { name, uid, gid, home })
        });
        let groups = group.lines().filter_map(|line| {
            let mut fields = line.split(':');
            Some((fields.next()?.to_owned(), fields.nth(1)?.parse().ok()?))
        });
        Self { users: users.collect(), groups: groups.collect() }
    }

    /// A user by name.
    pub(crate) fn user(&self, name: &str) -> Option<&User> {
        self.users.iter().find(|user| user.name == name)
    }

    /// A group's number.
    pub(crate) fn group(&self, name: &str) -> Option<u32> {
        self.groups.iter().find(|(known, _)| known == name).map(|(_, gid)| *gid)
    }

    /// True if a group has this number.
    pub(crate) fn has_gid(&self, gid: u32) -> bool {
        self.groups.iter().any(|(_, known)| *known == gid)
    }

    /// The numbers that `user`, `user:group` or `:group` stands for; names or numbers.
    pub(crate) fn owner(&self, text: &str) -> Result<(u32, u32)> {
        let (user, group) = text.split_once(':').unwrap_or((text, ""));
        let (mut uid, mut gid) = (0, 0);
        if !user.is_empty() {
            match (self.user(user), user.parse()) {
                (Some(known), _) => (uid, gid) = (known.uid, known.gid),
                (None, Ok(number)) => uid = number,
                (None, Err(_)) => anyhow::bail!("there is no user `{user}`"),
            }
        }
        if !group.is_empty() {
            match (self.group(group), group.parse()) {
                (Some(known), _) => gid = known,
                (None, Ok(number)) => gid = number,
                (None, Err(_)) => anyhow::bail!("there is no group `{group}`"),
            }
        }
        Ok((uid, gid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_are_names_or_numbers() {
        let accounts =
            Accounts::parse("root:x:0:0::/root:/bin/sh\nweb:x:7:8:W:/srv:/bin/sh\nodd\n", "adm:x:4:\n");
        for (text, owner) in [("web", (7, 8)), ("web:adm", (7, 4)), (":adm", (0, 4)), ("12:13", (12, 13))] {
            assert_eq!(accounts.owner(text).unwrap(), owner, "{text}");
        }
        assert_eq!(accounts.user("web").unwrap().home, "/srv");
        assert!(accounts.owner("nobody:adm").is_err());
        assert!(accounts.owner("web:none").is_err());
    }
}
