//! /conf/param.conf: after each stage script init sources it into its own shell, so that what is assigned
//! there takes the place of what the kernel command line said, and what is defined there that of its functions.

use crate::files;
use anyhow::Result;
use std::fmt::Write as _;

const PATH: &str = "/conf/param.conf";
const BEGIN: &str = "# lifeboat: begin\n";
const END: &str = "# lifeboat: end\n";

/// init gives up only after lifeboat has: its own `panic()` then runs unchanged, from where it was defined, in
/// a process of its own, for that file defines other functions too that init has replaced since.
const PANIC: &str = "\
panic() {
	lifeboat_panic \"$@\"
}
lifeboat_panic() {
	lifeboat_go_on=:
	if /usr/sbin/lifeboat rescue wait \"$*\"; then
		. /conf/param.conf
		eval \"$lifeboat_go_on\"
	else
		( . /scripts/functions; panic \"$@\" )
		[ -z \"$panic\" ] || exit
		[ ! -e /conf/param.conf ] || . /conf/param.conf
	fi
}
";

/// Gives init its own functions back, in the order in which it reads them itself.
const OWN_FUNCTIONS: &str = ". /scripts/functions; . /scripts/local; . /scripts/nfs; . \"/scripts/${BOOT}\"";

/// init's own way to find a device, which takes one of several that have an UUID or a label: the volumes that are
/// ignored are left out of these. Where lifeboat gives no answer, that stays.
const RESOLVE: &str = "\
( . /scripts/functions
		resolve_device \"$1\" >/dev/null || exit
		case \"$1\" in
		LABEL=* | UUID=* | PARTLABEL=* | PARTUUID=*)
			meant=$(/usr/sbin/lifeboat rescue resolve \"$DEV\" $(blkid -t \"$1\" -o device))
			[ \"$meant\" != - ] || exit 1
			case \"$meant\" in /dev/*) DEV=$meant ;; esac ;;
		/dev/disk/by-uuid/* | /dev/disk/by-label/* | /dev/disk/by-part*)
			[ \"$(/usr/sbin/lifeboat rescue resolve \"$DEV\")\" != - ] || exit 1 ;;
		esac
		echo \"$DEV\" )";

/// What lifeboat's part of the file says.
#[derive(Default)]
pub(crate) struct Conf {
    lines: String,
}

/// init mounts the root's /usr by itself; where it was stuck with another one's, that was to come next.
const MOUNT_USR: &str = "; if read_fstab_entry /usr; then mountfs /usr; fi";

/// What init says where the rescue volume that is mounted cannot be started.
pub(crate) const NOT_STARTED: &str = "The rescue volume cannot be started.";

/// What init still does where it was stuck, once the root is mounted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum After {
    /// Nothing that matters.
    Nothing,
    /// It goes on to check and mount: one such call is to do nothing.
    SkipOneMount,
    /// It was past the root: the new one's /usr is to be mounted too.
    MountUsr,
    /// It goes on to check and mount /usr, after that was done.
    MountUsrAndSkipOne,
}

impl Conf {
    /// Assigns a variable of init's.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.push(&format!("{name}={}", quote(value)));
    }

    /// Makes init find `root` at `device`.
    pub(crate) fn found_at(&mut self, root: &str, device: &str) {
        self.resolve(root, &quote(device));
    }

    /// Makes init find `root` where the root is by then.
    pub(crate) fn found_as_root(&mut self, root: &str) {
        self.resolve(root, "\"$ROOT\"");
    }

    /// Makes init find no ignored volume.
    pub(crate) fn pass_over_ignored(&mut self) {
        self.push(&format!("resolve_device() {{\n\t{RESOLVE}\n}}"));
    }

    fn resolve(&mut self, root: &str, word: &str) {
        self.push(&format!(
            "resolve_device() {{\n\tcase \"$1\" in\n\t{}) echo {word} ;;\n\t*) {RESOLVE} ;;\n\tesac\n}}",
            quote(root),
        ));
    }

    /// Lets lifeboat cover the root's fstab: init reads it right after mounting the root, with no stage between. And lets
    /// it look for an init once /usr is mounted, while there is still a way back.
    pub(crate) fn before_fstab_is_read(&mut self) {
        self.push(&format!(
            "read_fstab_entry() {{\n\t/usr/sbin/lifeboat rescue mounted\n\t{OWN_FUNCTIONS}\n\t\
             panic() {{ lifeboat_panic \"$@\"; }}\n\tresolve_device() {{\n\t{RESOLVE}\n\t}}\n\t\
             mount_bottom() {{\n\t\t. \"/scripts/${{BOOT}}\"\n\t\t\
             [ \"$(/usr/sbin/lifeboat rescue mounted /usr)\" != - ] || lifeboat_panic '{NOT_STARTED}'\n\t\t\
             mount_bottom\n\t}}\n\tread_fstab_entry \"$@\"\n}}"
        ));
    }

    /// Makes init run its scripts for a missing root once more, and look for that again.
    pub(crate) fn look_again(&mut self) {
        self.set("lifeboat_go_on", "local_block \"$ROOT\"");
    }

    /// Makes init mount the root that the variables name, from within its `panic()`, after these assignments.
    pub(crate) fn go_on(&mut self, assignments: &[(&str, &str)], after: After) {
        let mut commands = String::new();
        for (name, value) in assignments {
            // Writing to a String cannot fail.
            write!(commands, "{name}={}; ", quote(value)).unwrap_or_default();
        }
        commands += ". \"/scripts/${BOOT}\"; mountroot";
        if matches!(after, After::MountUsr | After::MountUsrAndSkipOne) {
            commands += MOUNT_USR;
        }
        if after == After::MountUsrAndSkipOne {
            // Whatever it waits for is there.
            commands += "; resolve_device() { echo \"$ROOT\"; }";
        }
        if matches!(after, After::SkipOneMount | After::MountUsrAndSkipOne) {
            commands += "; _checkfs_once() { ";
            commands += OWN_FUNCTIONS;
            commands += "; . /conf/param.conf; return 0; }; mount() { unset -f mount; }";
        }
        self.set("lifeboat_go_on", &commands);
    }

    fn push(&mut self, line: &str) {
        // Writing to a String cannot fail.
        writeln!(self.lines, "{line}").unwrap_or_default();
    }

    /// The whole file: what others left in it, and our part in place of our earlier one, which ends at the last
    /// such line: a value may hold one too.
    pub(crate) fn render(&self, existing: &str) -> String {
        let lines: Vec<&str> = existing.split_inclusive('\n').collect();
        let (begin, end) =
            (lines.iter().position(|line| *line == BEGIN), lines.iter().rposition(|line| *line == END));
        let ours = begin.zip(end).map_or(0..0, |(begin, end)| begin..end + 1);
        let mut others = String::new();
        for (place, line) in lines.iter().enumerate() {
            if !ours.contains(&place) {
                others += line;
            }
        }
        let newline = if others.is_empty() || others.ends_with('\n') { "" } else { "\n" };
        format!("{others}{newline}{BEGIN}{PANIC}{}{END}", self.lines)
    }
}

/// Writes our part of the file, whole or not at all.
pub(crate) fn write(conf: &Conf) -> Result<()> {
    let existing = files::read_text(PATH)?.unwrap_or_default();
    files::write(PATH, conf.render(&existing).as_bytes(), 0o644)
}

fn quote(value: &str) -> String {
    format!("'{}'", value.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn our_part(conf: &Conf) -> String {
        conf.render("").replace(PANIC, "").replace(BEGIN, "").replace(END, "")
    }

    #[test]
    fn a_quote_in_a_value_ends_nothing() {
        let mut conf = Conf::default();
        conf.set("ROOT", "a'; reboot; '");
        assert_eq!(our_part(&conf), "ROOT='a'\\''; reboot; '\\'''\n");
    }

    #[test]
    fn what_other_scripts_left_stays_and_our_own_is_replaced() {
        let mut first = Conf::default();
        first.set("ROOT", "/dev/vdb");
        let mut second = Conf::default();
        second.set("ROOT", "/dev/vdc");
        let text = second.render(&(first.render("IP=dhcp") + "X=y\n"));
        assert!(text.starts_with("IP=dhcp\nX=y\n# lifeboat: begin\n"), "{text}");
        assert!(text.contains("/dev/vdc") && !text.contains("/dev/vdb"), "{text}");
    }

    #[test]
    fn a_root_that_is_missing_is_found_elsewhere_and_others_where_they_were() {
        let mut conf = Conf::default();
        conf.found_at("LABEL=o'wn", "/dev/vdb");
        expect![[r#"
            resolve_device() {
            	case "$1" in
            	'LABEL=o'\''wn') echo '/dev/vdb' ;;
            	*) ( . /scripts/functions
            		resolve_device "$1" >/dev/null || exit
            		case "$1" in
            		LABEL=* | UUID=* | PARTLABEL=* | PARTUUID=*)
            			meant=$(/usr/sbin/lifeboat rescue resolve "$DEV" $(blkid -t "$1" -o device))
            			[ "$meant" != - ] || exit 1
            			case "$meant" in /dev/*) DEV=$meant ;; esac ;;
            		/dev/disk/by-uuid/* | /dev/disk/by-label/* | /dev/disk/by-part*)
            			[ "$(/usr/sbin/lifeboat rescue resolve "$DEV")" != - ] || exit 1 ;;
            		esac
            		echo "$DEV" ) ;;
            	esac
            }
        "#]]
        .assert_eq(&our_part(&conf));
    }

    #[test]
    fn init_mounts_what_the_variables_name() {
        let mut conf = Conf::default();
        conf.go_on(&[], After::Nothing);
        assert_eq!(our_part(&conf), "lifeboat_go_on='. \"/scripts/${BOOT}\"; mountroot'\n");
    }

    #[test]
    fn a_root_that_is_mounted_late_has_its_usr_and_the_other_ones_is_skipped() {
        let commands = |after| {
            let mut conf = Conf::default();
            conf.go_on(&[], after);
            our_part(&conf)
        };
        let usr = "; mountroot; if read_fstab_entry /usr; then mountfs /usr; fi";
        assert!(commands(After::MountUsr).ends_with(&format!("{usr}'\n")));
        let skipped = commands(After::MountUsrAndSkipOne);
        let expected = format!("{usr}; resolve_device() {{ echo \"$ROOT\"; }}; _checkfs_once() {{ ");
        assert!(
            skipped.contains(&expected) && skipped.ends_with("; mount() { unset -f mount; }'\n"),
            "{skipped}"
        );
        assert!(!commands(After::SkipOneMount).contains("/usr"));
    }

    #[test]
    fn init_asks_once_the_root_is_whole_and_before_it_gives_up() {
        let mut conf = Conf::default();
        conf.before_fstab_is_read();
        expect![[r#"
            read_fstab_entry() {
            	/usr/sbin/lifeboat rescue mounted
            	. /scripts/functions; . /scripts/local; . /scripts/nfs; . "/scripts/${BOOT}"
            	panic() { lifeboat_panic "$@"; }
            	resolve_device() {
            	( . /scripts/functions
            		resolve_device "$1" >/dev/null || exit
            		case "$1" in
            		LABEL=* | UUID=* | PARTLABEL=* | PARTUUID=*)
            			meant=$(/usr/sbin/lifeboat rescue resolve "$DEV" $(blkid -t "$1" -o device))
            			[ "$meant" != - ] || exit 1
            			case "$meant" in /dev/*) DEV=$meant ;; esac ;;
            		/dev/disk/by-uuid/* | /dev/disk/by-label/* | /dev/disk/by-part*)
            			[ "$(/usr/sbin/lifeboat rescue resolve "$DEV")" != - ] || exit 1 ;;
            		esac
            		echo "$DEV" )
            	}
            	mount_bottom() {
            		. "/scripts/${BOOT}"
            		[ "$(/usr/sbin/lifeboat rescue mounted /usr)" != - ] || lifeboat_panic 'The rescue volume cannot be started.'
            		mount_bottom
            	}
            	read_fstab_entry "$@"
            }
        "#]].assert_eq(&our_part(&conf));
    }

    #[test]
    fn assignments_of_the_moment_come_first_and_a_stuck_mount_is_skipped() {
        let mut conf = Conf::default();
        conf.go_on(&[("ROOT", "/dev/vda")], After::SkipOneMount);
        let text = our_part(&conf);
        assert!(text.starts_with("lifeboat_go_on='ROOT='\\''/dev/vda'\\''; . \"/scripts/"), "{text}");
        assert!(text.contains("; mountroot; _checkfs_once() { . /scripts/functions; "), "{text}");
        assert!(
            text.ends_with("; . /conf/param.conf; return 0; }; mount() { unset -f mount; }'\n"),
            "{text}"
        );
    }
}
