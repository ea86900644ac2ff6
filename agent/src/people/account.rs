//! Groups and users -> calls of groupadd, useradd and their family, in an order in which each finds what it needs.

use super::password::{self, Before, Call, Planned};
use super::{Group, Person, doas, is_name, no_name, options, words};
use crate::accounts::{Accounts, Password};
use crate::plan::{AccountWork, HandlerPlan, Step};
use crate::yaml::Value;
use std::collections::BTreeSet;

/// Keys that, when on, become an option of useradd.
const SWITCHES: &[(&str, &str)] =
    &[("no_user_group", "--no-user-group"), ("system", "--system"), ("no_log_init", "--no-log-init")];

/// A plan, and the accounts that there are once it is carried out.
pub(crate) struct Plan<'a> {
    accounts: &'a Accounts,
    groups: BTreeSet<String>,
    users: BTreeSet<String>,
    /// The users who get a password afterwards.
    with_password: Vec<String>,
    /// The steps and problems so far.
    pub(crate) made: HandlerPlan,
}

impl<'a> Plan<'a> {
    /// An empty plan for a machine with these accounts.
    /// `chpasswd` gives a password to the users `with_password` afterwards.
    pub(crate) fn new(accounts: &'a Accounts, with_password: Vec<String>) -> Self {
        let made = HandlerPlan::default();
        Self { accounts, groups: BTreeSet::new(), users: BTreeSet::new(), with_password, made }
    }

    /// Makes a group unless it is there.
    pub(crate) fn make_group(&mut self, name: &str) {
        if !self.has_group(name) {
            self.push(name, AccountWork::Group, &["groupadd", name], None);
            self.groups.insert(name.to_owned());
        }
    }

    /// Adds the members of a group who are there by now.
    pub(crate) fn add_members(&mut self, group: &Group) {
        for member in &group.members {
            if self.has_user(member) {
                self.change(member, &["usermod", "-a", "-G", &group.name, member], None);
            } else {
                let Group { name, .. } = group;
                self.made.problem(format!(
                    "groups: {name}: there is no user `{}` who could be a member",
                    member.escape_debug()
                ));
            }
        }
    }

    /// Makes a user unless it is there, and sets its password.
    pub(crate) fn make_user(&mut self, user: &Person) {
        let before = if self.has_user(&user.name) {
            Before::There(self.accounts.password(&user.name).unwrap_or(Password::Set))
        } else {
            self.add_user(user);
            Before::New
        };
        let Planned { calls, problems, idle } = password::plan(user, before);
        for Call { argv, input } in calls {
            self.change(&user.name, &argv, input);
        }
        self.made.problems.extend(problems.iter().map(|message| user.problem(message)));
        // Settings that have no effect yet get one with the password that comes.
        if !self.with_password.contains(&user.name) {
            self.made.idle.extend(idle.iter().map(|message| user.problem(message)));
        }
    }

    fn add_user(&mut self, user: &Person) {
        let name = user.name.as_str();
        let mut groups = Vec::new();
        for word in user.settings.get("groups").map(words).unwrap_or_default() {
            if !groups.contains(&word) && self.can_have_group(user, "groups", &word) {
                groups.push(word);
            }
        }
        let primary = user.text("primary_group");
        let primary = primary.filter(|group| self.can_have_group(user, "primary_group", group));
        if makes_groups(user) {
            groups.iter().chain(&primary).for_each(|group| self.make_group(group));
        }
        // useradd makes the user's own group, and ends without a user where that group is there.
        let makes_own = primary.is_none() && !user.is_on("no_user_group");
        let has_own = self.has_group(name);
        let primary = primary.or_else(|| Some(name.to_owned()).filter(|_| makes_own && has_own));
        groups.retain(|group| Some(group) != primary.as_ref());
        let (options, problems) = options::options(user);
        self.made.problems.extend(problems.iter().map(|message| user.problem(message)));
        self.made.push(Step::Account {
            name: name.to_owned(),
            work: AccountWork::Make,
            argv: useradd(user, options, primary, &groups),
            input: None,
        });
        self.users.insert(name.to_owned());
        if makes_own {
            self.groups.insert(name.to_owned());
        }
    }

    /// A group that cannot be costs only itself: useradd would end without a user.
    fn can_have_group(&mut self, user: &Person, key: &str, group: &str) -> bool {
        let problem = if self.has_group(group) {
            return true;
        } else if group.parse::<u32>().is_ok() {
            format!("no group has the number {group}")
        } else if !is_name(group) {
            no_name(group)
        } else if makes_groups(user) {
            return true;
        } else if group == user.name {
            // useradd makes it.
            return false;
        } else {
            format!("there is no group `{group}`, and `create_groups` is off")
        };
        self.made.problem(user.problem(&format!("{key}: {problem}")));
        false
    }

    /// Appends a user's rules for doas.
    pub(crate) fn add_doas(&mut self, user: &Person) {
        match user.settings.get("doas").map(|rules| doas::rules(&user.name, rules)) {
            None => {}
            Some(Ok(file)) => self.made.steps.extend(file.map(Step::Write)),
            Some(Err(problem)) => self.made.problem(user.problem(&problem)),
        }
    }

    fn change(&mut self, user: &str, argv: &[&str], input: Option<String>) {
        self.push(user, AccountWork::Change, argv, input);
    }

    fn push(&mut self, name: &str, work: AccountWork, argv: &[&str], input: Option<String>) {
        let argv = argv.iter().map(|word| (*word).to_owned()).collect();
        self.made.push(Step::Account { name: name.to_owned(), work, argv, input });
    }

    fn has_user(&self, name: &str) -> bool {
        self.users.contains(name) || self.accounts.user(name).is_some()
    }

    /// A number stands for a group that has it.
    fn has_group(&self, name: &str) -> bool {
        let by_number = || name.parse().is_ok_and(|gid| self.accounts.has_gid(gid));
        self.groups.contains(name) || self.accounts.group(name).is_some() || by_number()
    }
}

/// True if groups that are not there are made for a user.
fn makes_groups(user: &Person) -> bool {
    user.settings.get("create_groups").is_none_or(Value::is_on)
}

fn useradd(user: &Person, options: Vec<String>, primary: Option<String>, groups: &[String]) -> Vec<String> {
    let mut argv = vec!["useradd".to_owned(), user.name.clone()];
    argv.extend(options);
    if let Some(group) = primary {
        argv.extend(["--gid".to_owned(), group]);
    }
    if !groups.is_empty() {
        argv.extend(["--groups".to_owned(), groups.join(",")]);
    }
    for (key, option) in SWITCHES {
        if user.is_on(key) {
            argv.push((*option).to_owned());
        }
    }
    let homeless = ["no_create_home", "system"].iter().any(|key| user.is_on(key));
    argv.push(if homeless { "-M" } else { "-m" }.to_owned());
    argv
}
