//! The users and groups that a root has.

use crate::root::Root;
use anyhow::Result;

/// /etc/passwd and /etc/group, and what /etc/shadow says of passwords.
#[derive(Clone, Default, Debug)]
pub(crate) struct Accounts {
    users: Vec<User>,
    groups: Vec<Group>,
    passwords: Vec<(String, Password)>,
}

/// A line of /etc/group.
#[derive(Clone, Debug)]
struct Group {
    name: String,
    gid: u32,
    members: Vec<String>,
}

/// The password that a user may log in with, without the hash itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Password {
    /// A hash, or a text that no password has as its hash.
    Set,
    /// A hash that is locked by a `!` before it.
    Locked,
    /// No hash, and locked.
    Barred,
    /// No hash, and not locked.
    Empty,
}

impl Password {
    /// Reads the second field of a line of /etc/shadow.
    pub(crate) fn of_field(field: &str) -> Self {
        match field {
            "" => Self::Empty,
            "!" => Self::Barred,
            locked if locked.starts_with('!') => Self::Locked,
            _ => Self::Set,
        }
    }
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
    /// Reads the files; a root without them has nobody.
    pub(crate) fn read(root: &Root) -> Result<Self> {
        let passwd = root.read_text("etc/passwd")?.unwrap_or_default();
        let group = root.read_text("etc/group")?.unwrap_or_default();
        // Only root may read it, and `plan` is for everybody.
        let shadow = root.read_text("etc/shadow").ok().flatten().unwrap_or_default();
        Ok(Self::parse(&passwd, &group).with_shadow(&shadow))
    }

    /// The same with the passwords of a text.
    pub(crate) fn with_shadow(mut self, shadow: &str) -> Self {
        let fields = shadow.lines().filter_map(|line| {
            let mut fields = line.split(':');
            Some((fields.next()?.to_owned(), Password::of_field(fields.next()?)))
        });
        self.passwords = fields.collect();
        self
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
            let (name, gid) = (fields.next()?.to_owned(), fields.nth(1)?.parse().ok()?);
            let members = fields.next().unwrap_or_default().split(',').map(str::to_owned).collect();
            Some(Group { name, gid, members })
        });
        Self { users: users.collect(), groups: groups.collect(), passwords: Vec::new() }
    }

    /// A user by name.
    pub(crate) fn user(&self, name: &str) -> Option<&User> {
        self.users.iter().find(|user| user.name == name)
    }

    /// A group's number.
    pub(crate) fn group(&self, name: &str) -> Option<u32> {
        self.groups.iter().find(|group| group.name == name).map(|group| group.gid)
    }

    /// The names of the groups that a user is in.
    pub(crate) fn groups_of(&self, user: &User) -> Vec<&str> {
        let is_in = |group: &&Group| group.gid == user.gid || group.members.contains(&user.name);
        self.groups.iter().filter(is_in).map(|group| group.name.as_str()).collect()
    }

    /// The state of a user's password; `None` where nobody may know it.
    pub(crate) fn password(&self, name: &str) -> Option<Password> {
        self.passwords.iter().find(|(known, _)| known == name).map(|(_, password)| *password)
    }

    /// True if a group has this number.
    pub(crate) fn has_gid(&self, gid: u32) -> bool {
        self.groups.iter().any(|group| group.gid == gid)
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
    fn a_user_is_in_the_primary_group_and_in_those_that_name_it() {
        let accounts = Accounts::parse(
            "web:x:7:8:W:/srv:/bin/sh\n",
            "adm:x:4:sys,web\nweb:x:8:\nwww:x:9:webmaster\nold:x:10\n",
        );
        assert_eq!(accounts.groups_of(accounts.user("web").unwrap()), ["adm", "web"]);
    }

    #[test]
    fn owners_are_names_or_numbers() {
        let accounts =
            Accounts::parse("root:x:0:0::/root:/bin/sh\nweb:x:7:8:W:/srv:/bin/sh\nodd\n", "adm:x:4:\n");
        for (text, owner) in [("web", (7, 8)), ("web:adm", (7, 4)), (":adm", (0, 4)), ("12:13", (12, 13))] {
            assert_eq!(accounts.owner(text).unwrap(), owner, "{text}");
        }
        assert_eq!(accounts.user("web").unwrap().home, "/srv");
        assert_eq!(accounts.password("web"), None);
        assert!(accounts.owner("nobody:adm").is_err());
        assert!(accounts.owner("web:none").is_err());
    }
}
