//! Bad usage, help and version, and a journey that is stuck.

use std::process::Command;

fn lifeboat(arguments: &[&str]) -> std::process::Output {
    Command::new(env!("CARGO_BIN_EXE_lifeboat")).args(arguments).output().unwrap()
}

#[test]
fn bad_usage_is_status_2_and_points_to_help() {
    for arguments in [&[][..], &["rescue"], &["modules", "--force"], &["seed", "twice"]] {
        let output = lifeboat(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("try `lifeboat --help`"), "{said}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn help_and_version_are_printed() {
    let help = String::from_utf8(lifeboat(&["--help"]).stdout).unwrap();
    assert!(help.starts_with("Usage: lifeboat"), "{help}");
    let version = String::from_utf8(lifeboat(&["--version"]).stdout).unwrap();
    assert_eq!(version, format!("lifeboat {}\n", env!("CARGO_PKG_VERSION")));
}
