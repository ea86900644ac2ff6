//! Plans as data: handlers make them, `apply` carries them out, and they print themselves.

use crate::fetch;
mod packages;

pub(crate) use packages::{PackageWork, Packages};

use crate::block::Part;
use crate::root::Rights;
use std::fmt;
use std::rc::Rc;

/// Steps in their order, and what was dropped on the way.
#[derive(Default, PartialEq, Eq, Debug)]
pub(crate) struct HandlerPlan {
    /// The steps to take.
    pub(crate) steps: Vec<Step>,
    /// The settings that are not carried out, and why.
    pub(crate) problems: Vec<String>,
    /// The settings that are valid, and have no effect on this machine.
    pub(crate) idle: Vec<String>,
}

impl HandlerPlan {
    /// Adds a step.
    pub(crate) fn push(&mut self, step: Step) {
        self.steps.push(step);
    }

    /// Notes what is not done.
    pub(crate) fn problem(&mut self, text: impl Into<String>) {
        self.problems.push(text.into());
    }

    /// All that a person is told.
    pub(crate) fn told(&self) -> impl Iterator<Item = &String> {
        self.problems.iter().chain(&self.idle)
    }
}

/// One thing to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Step {
    /// Runs a program.
    Run {
        /// The program and its arguments.
        argv: Vec<String>,
        /// Its standard input, which is never shown.
        input: Option<String>,
    },
    /// Writes a file.
    Write(File),
    /// Fetches a file's content, and writes it.
    Fetch(FetchedFile),
    /// Makes a symbolic link, in the place of what was there.
    Link {
        /// The path of the link.
        path: String,
        /// The path that it leads to.
        target: String,
    },
    /// Sets the running system's host name.
    HostName(String),
    /// Fetches the key of a source of packages, and writes it.
    FetchKey {
        /// Its fingerprint.
        id: String,
        /// The server of keys.
        server: String,
        /// The file for it.
        path: String,
    },
    /// Installs packages.
    Packages(Packages),
    /// Reboots, if a package that was installed has asked for it.
    RebootIfRequired,
    /// Runs a program that makes or changes an account.
    Account {
        /// The user or the group.
        name: String,
        /// The program's work.
        work: AccountWork,
        /// The program and its arguments.
        argv: Vec<String>,
        /// Its standard input, which is never shown.
        input: Option<String>,
    },
    /// Gives a user a new password that nobody knows, and shows it on the console.
    RandomPassword(String),
    /// Makes a pair of host keys in the place of those that are there.
    HostKey {
        /// The type, as ssh-keygen has it.
        kind: String,
        /// The private key's file.
        path: String,
    },
    /// Writes the public key of a private one.
    PublicKey {
        /// The private key's file.
        path: String,
    },
    /// Removes a file.
    Remove(String),
    /// Adds keys to those a user may log in with.
    Authorize {
        /// The user.
        user: String,
        /// Lines for `authorized_keys`.
        keys: Vec<String>,
    },
    /// Gives the kernel, or a file, random data to begin with.
    Seed {
        /// The device or the file.
        path: String,
        /// The data, which is a secret.
        seed: Vec<u8>,
    },
    /// Shows a text on the console.
    Console {
        /// The text in a few words.
        title: String,
        /// Lines before it that are for the log as well, and stand there as such lines do.
        logged: Vec<String>,
        /// Whole lines.
        text: String,
    },
    /// Tells that the boot is over.
    FinalMessage {
        /// A template that `template::render` understands.
        template: String,
    },
    /// Posts what is known of the machine to a server.
    PhoneHome(PhoneCall),
    /// Turns the machine off or restarts it, once the boot is recorded.
    Power(PowerChange),
    /// Adds keys that let nobody in, but tell who to log in as.
    TurnAway {
        /// The user who is not to be logged in as.
        user: String,
        /// Lines for `authorized_keys`, with their options.
        keys: Vec<String>,
    },
    /// Makes a directory with those above it.
    Directory(String),
    /// Makes a file to swap to.
    Swap(SwapFile),
    /// Grows a partition as far as it can.
    Grow(Part),
    /// Grows a mounted file system to the end of its device.
    GrowFileSystem {
        /// Where it is mounted.
        point: String,
        /// The kernel's name of its device.
        device: String,
        /// The file system's type.
        kind: String,
    },
}

/// A file to swap to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct SwapFile {
    /// Where.
    pub(crate) path: String,
    /// Its size.
    pub(crate) mebibytes: u64,
    /// The line for /etc/fstab, unless it is there.
    pub(crate) line: Option<String>,
    /// The kernel swaps to it already.
    pub(crate) is_used: bool,
}

/// The data that is posted to a server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct PhoneCall {
    /// Where to.
    pub(crate) url: String,
    /// The fields of a form.
    pub(crate) fields: Vec<(String, String)>,
    /// The number of tries.
    pub(crate) tries: u32,
}

/// The machine is turned off, or restarts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct PowerChange {
    /// The program that does it.
    pub(crate) argv: Vec<String>,
    /// The program that has to succeed before. Without one, nothing has to.
    pub(crate) condition: Option<Vec<String>>,
}

/// A program's work on an account.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum AccountWork {
    /// It makes the user, without whom nothing can be done for it.
    Make,
    /// It changes a user who is there.
    Change,
    /// It makes a group.
    Group,
}

/// A file to write.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct File {
    /// Where.
    pub(crate) path: String,
    /// Its bytes, which another file may have too.
    pub(crate) content: Rc<Vec<u8>>,
    /// Permission bits.
    pub(crate) mode: u32,
    /// `user:group`; the agent's own when not given.
    pub(crate) owner: Option<String>,
    /// In the place of what was there, or after it.
    pub(crate) placing: Placing,
}

/// The treatment of a file that is already there.
/// A file whose content is elsewhere.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct FetchedFile {
    /// Where its content is.
    pub(crate) url: String,
    /// The body of the request, which may be a secret.
    pub(crate) headers: Vec<(String, String)>,
    /// The file, with the content that it gets if that cannot be fetched.
    pub(crate) file: File,
    /// True if there is such content.
    pub(crate) has_content: bool,
}

/// The fate of a file that is already there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Placing {
    /// It is replaced.
    Replace,
    /// It is added to.
    Append,
}

impl File {
    /// A file of the agent's own user that replaces what was there.
    pub(crate) fn new(path: &str, content: impl Into<Vec<u8>>, mode: u32) -> Self {
        let content = Rc::new(content.into());
        Self { path: path.into(), content, mode, owner: None, placing: Placing::Replace }
    }

    /// The same under another path.
    pub(crate) fn under(&self, path: &str) -> Self {
        Self { path: path.into(), ..self.clone() }
    }

    /// The rights with an owner that has been looked up.
    pub(crate) fn rights(&self, owner: Option<(u32, u32)>) -> Rights {
        Rights { mode: self.mode, owner }
    }
}

impl Step {
    /// A program without input.
    pub(crate) fn run(argv: &[&str]) -> Self {
        Self::Run { argv: argv.iter().map(|word| (*word).to_owned()).collect(), input: None }
    }
}

impl Step {
    /// The user who must be there before.
    pub(crate) fn needs_user(&self) -> Option<&str> {
        match self {
            Self::Account { name: user, work: AccountWork::Change, .. }
            | Self::RandomPassword(user)
            | Self::Authorize { user, .. }
            | Self::TurnAway { user, .. } => Some(user),
            _ => None,
        }
    }

    /// True if it is no failure when it cannot be done. A machine that stays as small as its image is such a case: most
    /// that grow were not asked to.
    pub(crate) fn may_be_left(&self) -> bool {
        matches!(self, Self::Grow(_) | Self::GrowFileSystem { .. })
    }

    /// True if nothing may come after it in this boot.
    pub(crate) fn may_end_the_boot(&self) -> bool {
        matches!(self, Self::RebootIfRequired)
    }

    /// True if it runs the file at a path.
    pub(crate) fn runs(&self, path: &str) -> bool {
        let is_path = |word: &String| word.trim_start_matches('/') == path;
        matches!(self, Self::Run { argv, .. } if argv.last().is_some_and(is_path))
    }

    /// The user who is there afterwards.
    pub(crate) fn makes_user(&self) -> Option<&str> {
        match self {
            Self::Account { name, work: AccountWork::Make, .. } => Some(name),
            _ => None,
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Run { argv, input } | Self::Account { argv, input, .. } => {
                write!(out, "run")?;
                for word in argv {
                    write!(out, " {}", shown(word))?;
                }
                match input {
                    Some(_) => write!(out, " (with input that is not shown)"),
                    None => Ok(()),
                }
            }
            Self::Write(file) => {
                let verb = match file.placing {
                    Placing::Replace => "write",
                    Placing::Append => "append to",
                };
                write!(
                    out,
                    "{verb} {} ({} bytes, mode {:04o}",
                    shown(&file.path),
                    file.content.len(),
                    file.mode
                )?;
                match &file.owner {
                    Some(owner) => write!(out, ", owner {owner})"),
                    None => write!(out, ")"),
                }
            }
            Self::RandomPassword(user) => {
                write!(out, "give {user} a random password, shown on the console alone")
            }
            Self::HostKey { kind, path } => write!(out, "make an {kind} host key: {path}"),
            Self::PublicKey { path } => write!(out, "write the public key of {path}"),
            Self::Remove(path) => write!(out, "remove {}", shown(path)),
            Self::Fetch(FetchedFile { url, file, .. }) => {
                write!(
                    out,
                    "fetch {} and write it to {} (mode {:04o})",
                    fetch::shown(url),
                    shown(&file.path),
                    file.mode
                )
            }
            Self::Link { path, target } => write!(out, "link {} to {}", shown(path), shown(target)),
            Self::Grow(Part { disk, name, number, length, .. }) => write!(
                out,
                "grow /dev/{name}, partition {number} of /dev/{disk}, from {} MiB to the end of its room",
                length >> 20
            ),
            Self::GrowFileSystem { point, device, kind } => {
                write!(out, "grow the {kind} on {} to the end of /dev/{device}", shown(point))
            }
            Self::Directory(path) => write!(out, "make the directory {}", shown(path)),
            Self::Swap(SwapFile { path, is_used: true, .. }) => {
                write!(out, "keep swapping to {}", shown(path))
            }
            Self::Swap(SwapFile { path, mebibytes, .. }) => {
                write!(out, "swap to {} ({mebibytes} MiB)", shown(path))
            }
            Self::FetchKey { id, server, path } => {
                write!(out, "fetch the key {id} from {} to {}", shown(server), shown(path))
            }
            Self::Packages(packages) => packages.fmt(out),
            Self::RebootIfRequired => write!(out, "reboot, if a package has asked for it"),
            Self::HostName(name) => write!(out, "set the host name to {name}"),
            Self::Seed { path, seed } => {
                write!(out, "add {} bytes of random data to {}", seed.len(), shown(path))
            }
            Self::Console { title, .. } => write!(out, "show on the console: {title}"),
            Self::FinalMessage { .. } => write!(out, "tell that the boot is over"),
            Self::PhoneHome(PhoneCall { url, fields, .. }) => {
                let names: Vec<_> = fields.iter().map(|(name, _)| name.as_str()).collect();
                write!(out, "post {} to {}", names.join(", "), fetch::shown(url))
            }
            Self::Power(PowerChange { argv, condition }) => {
                write!(out, "once the boot is recorded, run")?;
                argv.iter().try_for_each(|word| write!(out, " {}", shown(word)))?;
                let Some(condition) = condition else { return Ok(()) };
                write!(out, " (if this succeeds:")?;
                condition.iter().try_for_each(|word| write!(out, " {}", shown(word)))?;
                write!(out, ")")
            }
            Self::Authorize { user, keys } => {
                let plural = if keys.len() == 1 { "" } else { "s" };
                write!(out, "let {user} log in with {} key{plural}", keys.len())
            }
            Self::TurnAway { user, keys } => {
                let plural = if keys.len() == 1 { "" } else { "s" };
                write!(out, "turn away who logs in as {user} with {} key{plural}", keys.len())
            }
        }
    }
}

/// A word as a shell would want it.
fn shown(word: &str) -> String {
    let plain = |character: char| character.is_ascii_alphanumeric() || "_-./:@%+,=".contains(character);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''").escape_debug().to_string().replace("\\'", "'"))
    }
}
