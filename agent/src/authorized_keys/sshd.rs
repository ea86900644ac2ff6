//! The files in which sshd looks for a user's keys, as its configuration names them.

use crate::accounts::{Accounts, User};
use crate::machine::Machine;
use anyhow::Result;

/// The first one that is there counts. The second is where some distributions keep what they bring.
const CONFIGS: [&str; 2] = ["etc/ssh/sshd_config", "usr/etc/ssh/sshd_config"];

/// Where relative names of included files begin.
const DIRECTORY: &str = "etc/ssh";

/// The first of sshd's own, where nothing is configured.
const USUAL: &str = ".ssh/authorized_keys";

/// A file that includes itself has an end.
const MOST_INCLUDED: usize = 64;

/// The user's own files of keys, in sshd's order. A file that is everybody's is none of them.
pub(crate) fn files(user: &User, accounts: &Accounts, machine: &dyn Machine) -> Result<Vec<String>> {
    let groups = accounts.groups_of(user);
    let mut reader = Reader { user, groups, machine, included: 0, global: None, matched: None };
    for config in CONFIGS {
        if let Some(text) = machine.text(config)? {
            reader.read(&text)?;
            break;
        }
    }
    let value = reader.matched.or(reader.global).unwrap_or_else(|| USUAL.to_owned());
    Ok(words(&value).iter().filter_map(|word| own_path(word, user)).collect())
}

struct Reader<'a> {
    user: &'a User,
    groups: Vec<&'a str>,
    machine: &'a dyn Machine,
    included: usize,
    /// The first value outside of all Match blocks.
    global: Option<String>,
    /// The first value in a block that is about the user, which wins.
    matched: Option<String>,
}

impl Reader<'_> {
    fn read(&mut self, text: &str) -> Result<()> {
        let mut block = Block::Global;
        for (key, value) in text.lines().filter_map(setting) {
            match (key.as_str(), block) {
                ("match", _) => block = self.block(value),
                (_, Block::Others) => {}
                ("include", _) => {
                    let paths: Vec<_> = words(value).iter().flat_map(|it| self.named(it)).collect();
                    for path in paths {
                        self.include(&path, block)?;
                    }
                }
                ("authorizedkeysfile", Block::Global) => {
                    self.global.get_or_insert_with(|| value.to_owned());
                }
                ("authorizedkeysfile", Block::Own) => {
                    self.matched.get_or_insert_with(|| value.to_owned());
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Reads an included file. Settings outside of its own Match blocks belong to the block around it.
    fn include(&mut self, path: &str, block: Block) -> Result<()> {
        if self.included == MOST_INCLUDED {
            return Ok(());
        }
        self.included += 1;
        let text = self.machine.text(path)?.unwrap_or_default();
        if block == Block::Global {
            return self.read(&text);
        }
        let global = self.global.take();
        let read = self.read(&text);
        let said = std::mem::replace(&mut self.global, global);
        self.matched = self.matched.take().or(said);
        read
    }

    /// Reads a Match line. It understands `all`, users and groups: the place that a login comes from is not known yet.
    fn block(&self, criteria: &str) -> Block {
        let words = words(&criteria.replace('=', " "));
        let is_own = match &words[..] {
            [all] => all.eq_ignore_ascii_case("all"),
            words => words.chunks(2).all(|criterion| match criterion {
                [of, patterns] if of.eq_ignore_ascii_case("user") => is_named(patterns, &[&self.user.name]),
                [of, patterns] if of.eq_ignore_ascii_case("group") => is_named(patterns, &self.groups),
                [_, any] => any == "*",
                _ => false,
            }),
        };
        if is_own { Block::Own } else { Block::Others }
    }

    /// The files that a pattern names, sorted.
    fn named(&self, pattern: &str) -> Vec<String> {
        let pattern =
            if pattern.starts_with('/') { pattern.to_owned() } else { format!("{DIRECTORY}/{pattern}") };
        let (directory, name) = pattern.rsplit_once('/').unwrap_or(("", &pattern));
        let names = self.machine.names(directory).unwrap_or_default();
        names
            .iter()
            .filter(|known| matches(name, known))
            .map(|known| format!("{directory}/{known}"))
            .collect()
    }
}

/// True if one of the names is meant by the patterns, and none is left out by a `!`.
fn is_named(patterns: &str, names: &[&str]) -> bool {
    let any = |pattern: &str| names.iter().any(|name| matches(pattern, name));
    let (left_out, meant): (Vec<_>, Vec<_>) = patterns.split(',').partition(|it| it.starts_with('!'));
    meant.into_iter().any(any) && !left_out.into_iter().filter_map(|it| it.strip_prefix('!')).any(any)
}

/// Whom the settings of a Match block are about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Block {
    Global,
    Own,
    Others,
}

/// A line's key in small letters, and its value.
pub(crate) fn setting(line: &str) -> Option<(String, &str)> {
    let line = line.trim();
    let end = line.find(|character: char| character.is_whitespace() || character == '=')?;
    let (key, value) = line.split_at_checked(end)?;
    let value = value.trim_start();
    let value = value.strip_prefix('=').unwrap_or(value).trim();
    (!key.starts_with('#')).then(|| (key.to_ascii_lowercase(), value))
}

/// Words with blanks between; quotes hold one together, and a comment ends them.
fn words(value: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = value.trim_start();
    while !rest.is_empty() && !rest.starts_with('#') {
        let (word, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => rest.split_once(char::is_whitespace).unwrap_or((rest, "")),
        };
        words.push(word.to_owned());
        rest = after.trim_start();
    }
    words
}

/// The path with its tokens replaced; `None` for a file that is not the user's own.
fn own_path(word: &str, user: &User) -> Option<String> {
    let mut path = String::new();
    let mut is_own = !word.starts_with('/');
    let mut letters = word.chars();
    while let Some(letter) = letters.next() {
        match (letter, if letter == '%' { letters.next() } else { None }) {
            ('%', Some('h')) => path.push_str(&user.home),
            ('%', Some('u')) => path.push_str(&user.name),
            ('%', Some('U')) => path.push_str(&user.uid.to_string()),
            ('%', Some('%')) => path.push('%'),
            ('%', _) => return None,
            (other, _) => path.push(other),
        }
        is_own |= letter == '%' && !path.ends_with('%');
    }
    if word.eq_ignore_ascii_case("none") {
        return None;
    }
    let home = user.home.trim_end_matches('/');
    let path = if path.starts_with('/') { path } else { format!("{home}/{path}") };
    let in_home = !home.is_empty() && path.strip_prefix(home).is_some_and(|rest| rest.starts_with('/'));
    let is_plain = !path.split('/').any(|part| part == "..");
    (is_plain && (is_own || in_home)).then_some(path)
}

/// True if a pattern with `*` and `?` matches all of a name.
fn matches(pattern: &str, name: &str) -> bool {
    match pattern.chars().next() {
        None => name.is_empty(),
        Some('*') => {
            let rest = pattern.get(1..).unwrap_or_default();
            name.char_indices()
                .map(|(start, _)| start)
                .chain([name.len()])
                .any(|start| name.get(start..).is_some_and(|name| matches(rest, name)))
        }
        Some(first) => {
            let mut letters = name.chars();
            let same = letters.next().is_some_and(|letter| first == '?' || letter == first);
            same && matches(pattern.get(first.len_utf8()..).unwrap_or_default(), letters.as_str())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::root::Root;

    fn files_of(user: &str, files_there: &[(&str, &str)]) -> String {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::open(directory.path()).unwrap();
        for (path, text) in files_there {
            root.write(path, text.as_bytes(), 0o644).unwrap();
        }
        let user = User { name: user.into(), uid: 1000, gid: 1000, home: format!("/home/{user}") };
        let accounts = Accounts::parse("", "sftp:x:50:alice,bob\nbobs:x:1000:\nwheel:x:60:alice\n");
        files(&user, &accounts, &root).unwrap().join(" ")
    }

    /// The expected values follow its manual page, and were seen with `sshd -T -C user=bob` of OpenSSH 10.6.
    #[test]
    fn keys_go_where_sshd_looks() {
        const USUAL: &str = "/home/bob/.ssh/authorized_keys";
        for (config, wanted) in [
            ("", USUAL),
            ("# AuthorizedKeysFile /x/%u\nPort 22\n", USUAL),
            ("AuthorizedKeysFile .ssh/keys", "/home/bob/.ssh/keys"),
            ("authorizedkeysFILE=%h/.ssh/keys # ours", "/home/bob/.ssh/keys"),
            ("AuthorizedKeysFile = \"/etc/ssh/keys/%u\"", "/etc/ssh/keys/bob"),
            (
                "AuthorizedKeysFile /etc/ssh/%U/%%u .ssh/authorized_keys",
                "/etc/ssh/1000/%u /home/bob/.ssh/authorized_keys",
            ),
            ("AuthorizedKeysFile /etc/ssh/all_keys /etc/ssh/keys/%u", "/etc/ssh/keys/bob"),
            ("AuthorizedKeysFile /home/bob/keys /home/bobby/keys", "/home/bob/keys"),
            ("AuthorizedKeysFile none", ""),
            ("AuthorizedKeysFile /etc/ssh/%%/keys", ""),
            ("AuthorizedKeysFile /etc/ssh/%x", ""),
            // The first one counts.
            ("AuthorizedKeysFile a\nAuthorizedKeysFile b", "/home/bob/a"),
            ("Match User bob\nAuthorizedKeysFile b\nMatch all\nAuthorizedKeysFile c", "/home/bob/b"),
            ("AuthorizedKeysFile a\nMatch User alice,b*,!bobby\n AuthorizedKeysFile b", "/home/bob/b"),
            ("Match user=bob\nAuthorizedKeysFile b", "/home/bob/b"),
            ("AuthorizedKeysFile a\nMatch User *,!bob\n AuthorizedKeysFile b", "/home/bob/a"),
            ("Match Group sftp\nAuthorizedKeysFile b", "/home/bob/b"),
            ("Match group=wheel,bob?\nAuthorizedKeysFile b", "/home/bob/b"),
            (
                "Match Group wheel,bob\nAuthorizedKeysFile b\nMatch Group *\nAuthorizedKeysFile c",
                "/home/bob/c",
            ),
            ("Match Group *,!sftp\nAuthorizedKeysFile b", USUAL),
            ("Match Group !wheel,s*\nAuthorizedKeysFile b", "/home/bob/b"),
            ("Match Group !wheel\nAuthorizedKeysFile b", USUAL),
            ("Match User b* Group \"sftp\"\nAuthorizedKeysFile b", "/home/bob/b"),
            ("Match Group wheel User bob\nAuthorizedKeysFile b", USUAL),
            ("Match Group sftp Address 10.0.0.0/8\nAuthorizedKeysFile b", USUAL),
            ("Match Group sftp\nAuthorizedKeysFile none", ""),
            ("Match Group Sftp\nAuthorizedKeysFile b", USUAL),
            ("Match all\nAuthorizedKeysFile b", "/home/bob/b"),
            ("Match Group sftp # all of them\nAuthorizedKeysFile b", "/home/bob/b"),
            ("Match Address * User bob\nAuthorizedKeysFile b", "/home/bob/b"),
            ("Match Host *\nAuthorizedKeysFile b", "/home/bob/b"),
            ("Match Host h*\nAuthorizedKeysFile b", USUAL),
            ("Match invalid-user\nAuthorizedKeysFile b", USUAL),
            ("Match Address 10.0.0.0/8\nAuthorizedKeysFile b", USUAL),
            ("Match User bob Address 10.0.0.0/8\nAuthorizedKeysFile b", USUAL),
            ("Include /etc/ssh/sshd_config.d/*.conf\nAuthorizedKeysFile a", "/home/bob/5"),
            ("Include sshd_config.d/9?-b.conf\nAuthorizedKeysFile a", "/home/bob/9"),
            ("AuthorizedKeysFile a\nInclude sshd_config.d/*.conf", "/home/bob/a"),
            ("Include missing.d/*.conf\nAuthorizedKeysFile a", "/home/bob/a"),
            ("Match User alice\nInclude sshd_config.d/*.conf", USUAL),
            ("AuthorizedKeysFile a\nMatch User bob\nInclude sshd_config.d/*.conf", "/home/bob/5"),
            ("Include sshd_config\nAuthorizedKeysFile a", "/home/bob/a"),
            // A block ends with its file.
            ("Include match.conf\nAuthorizedKeysFile a", "/home/bob/a"),
        ] {
            let told = files_of(
                "bob",
                &[
                    ("etc/ssh/sshd_config", config),
                    ("etc/ssh/sshd_config.d/50-a.conf", "AuthorizedKeysFile 5\n"),
                    ("etc/ssh/sshd_config.d/90-b.conf", "AuthorizedKeysFile 9\n"),
                    ("etc/ssh/sshd_config.d/10-c.other", "AuthorizedKeysFile 1\n"),
                    ("etc/ssh/match.conf", "Match User alice\nAuthorizedKeysFile m\n"),
                ],
            );
            assert_eq!(told, wanted, "{config}");
        }
        let brought = ("usr/etc/ssh/sshd_config", "AuthorizedKeysFile brought");
        assert_eq!(files_of("bob", &[brought]), "/home/bob/brought");
        assert_eq!(files_of("bob", &[brought, ("etc/ssh/sshd_config", "")]), USUAL);
        assert_eq!(files_of("bob", &[]), USUAL);
    }
}
