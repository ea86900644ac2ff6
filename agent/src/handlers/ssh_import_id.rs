//! `ssh_import_id`: keys that a user has published elsewhere, fetched by the program of that name. At the top they are
//! for the default user.

use super::HandlerFacts;
use crate::people::{People, words};
use crate::plan::{AccountWork, HandlerPlan, Step};
use crate::yaml::{Mapping, Value};
use anyhow::Result;

const KEY: &str = "ssh_import_id";

#[expect(clippy::unnecessary_wraps, reason = "a handler's plan may fail; this one's cannot")]
pub(super) fn plan(facts: &HandlerFacts<'_>) -> Result<HandlerPlan> {
    let mut plan = HandlerPlan::default();
    let people = People::read(facts.config);
    let at_top = ids(facts.config);
    if people.default.is_none() && !at_top.is_empty() {
        plan.problem("no default user is made whose keys they could be");
    }
    for user in &people.users {
        let mut ids = ids(&user.settings);
        if people.default.as_ref() == Some(&user.name) {
            ids.extend(at_top.iter().filter(|id| !ids.contains(id)).cloned().collect::<Vec<_>>());
        }
        ids.retain(|id| {
            let is_id = !id.starts_with('-');
            if !is_id {
                plan.problem(format!("{}: `{}` is no name like gh:somebody", user.name, id.escape_debug()));
            }
            is_id
        });
        if !ids.is_empty() {
            let program = ["sudo", "--preserve-env=https_proxy", "-Hu", &user.name, "ssh-import-id"];
            let argv = program.iter().map(|word| (*word).to_owned()).chain(ids).collect();
            plan.push(Step::Account {
                name: user.name.clone(),
                work: AccountWork::Change,
                argv,
                input: None,
            });
        }
    }
    Ok(plan)
}

fn ids(settings: &Mapping) -> Vec<String> {
    settings.get(KEY).filter(|value| **value != Value::Null).map(words).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::testing::check;
    use super::*;
    use expect_test::expect;

    #[test]
    fn each_user_has_its_own_and_the_default_user_those_at_the_top() {
        check(
            plan,
            "{system_info: {default_user: {name: old}}, ssh_import_id: [gh:one, 'lp:two'], \
             users: [default, {name: bob, ssh_import_id: 'gh:bob, gh:rob'}, {name: carol, ssh_import_id: []}, \
             {name: old, ssh_import_id: [gh:one, -x]}]}",
            "",
            expect![[r"
                run sudo --preserve-env=https_proxy -Hu bob ssh-import-id gh:bob gh:rob
                run sudo --preserve-env=https_proxy -Hu old ssh-import-id gh:one lp:two
                problem: old: `-x` is no name like gh:somebody
            "]],
        );
    }

    #[test]
    fn nobody_has_those_at_the_top_where_there_is_no_default_user() {
        check(
            plan,
            "{ssh_import_id: [gh:one], users: [bob]}",
            "",
            expect![[r"
            problem: no default user is made whose keys they could be
        "]],
        );
        check(plan, "users: [bob]", "", expect![[""]]);
    }
}
