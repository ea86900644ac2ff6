//! The shells' completions are made of the command line's definition, and kept in `agent/completions` for the package.
//! `UPDATE_EXPECT=1 cargo test completions` makes it anew.

use crate::args::AgentArguments;
use crate::cloud_init;
use clap::{Command, CommandFactory};
use clap_complete::{Shell, generate};
use expect_test::expect_file;

fn of(mut command: Command, shell: Shell) -> String {
    let mut text = Vec::new();
    let name = command.get_name().to_owned();
    generate(shell, &mut command, name, &mut text);
    String::from_utf8(text).unwrap()
}

#[test]
fn they_are_those_of_the_command_line() {
    let agent = |shell| of(AgentArguments::command(), shell);
    expect_file!["../completions/lifeboat-agent.bash"].assert_eq(&agent(Shell::Bash));
    expect_file!["../completions/_lifeboat-agent"].assert_eq(&agent(Shell::Zsh));
    expect_file!["../completions/lifeboat-agent.fish"].assert_eq(&agent(Shell::Fish));
    let cloud_init = |shell| of(cloud_init::CloudInitArguments::command(), shell);
    expect_file!["../completions/cloud-init.bash"].assert_eq(&cloud_init(Shell::Bash));
    expect_file!["../completions/_cloud-init"].assert_eq(&cloud_init(Shell::Zsh));
    expect_file!["../completions/cloud-init.fish"].assert_eq(&cloud_init(Shell::Fish));
}

#[test]
fn every_command_for_people_is_completed_and_in_the_manual() {
    let command = AgentArguments::command();
    let manual = include_str!("../man/lifeboat-agent.8");
    let completed = of(command.clone(), Shell::Fish);
    for name in command.get_subcommands().filter(|known| !known.is_hide_set()).map(Command::get_name) {
        assert!(completed.contains(&format!("-a \"{name}\"")), "{name}");
        assert!(manual.contains(&format!("Cm {name}")), "{name}");
    }
}
