//! /conf/param.conf: after each stage script init sources it into its own shell. So variables set there replace those
//! of the kernel command line, and functions defined there replace init's.

use super::SHOWN_ROOT;
use crate::files;
use anyhow::Result;
use std::fmt::Write as _;
use std::ops::Range;

const PATH: &str = "/conf/param.conf";
const BEGIN: &str = "# lifeboat: begin\n";
const END: &str = "# lifeboat: end\n";

/// init gives up only after lifeboat has: its own `panic()` then runs unchanged, from where it was defined. It runs in
/// a process of its own, for that file also defines functions that init has replaced since.
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

/// init's own way to find a device, which takes one of several that have an UUID or a label. The volumes that are
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

/// init's first own `mount` after its last stage moves /run into the root. No script runs after that, whatever it is
/// called and whatever it comes after. Called once: init's own `mount` is back then, also where the file is read again.
const CALL_US_LAST: &str = "\
mount() {
	unset -f mount
	if [ -z \"$lifeboat_last\" ]; then
		lifeboat_last=called
		run_scripts /scripts/lifeboat-last
		unset -f mount
	fi
	mount \"$@\"
}
";

/// The contents of lifeboat's part of the file.
#[derive(Default)]
pub(crate) struct Conf {
    lines: String,
}

/// init mounts the root's /usr by itself; where it was stuck with another one's, that was to come next.
const MOUNT_USR: &str = "; if read_fstab_entry /usr; then mountfs /usr; fi";

/// The message of init where the mounted rescue volume cannot be started.
pub(crate) const NOT_STARTED: &str = "The rescue volume cannot be started.";

/// The steps that init still takes where it was stuck, once the root is mounted.
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

    /// Shows init another fstab: it reads the root's right after mounting that, with no stage between, and for each
    /// file system again. This file is read once more at the end, for init has its own functions by then. And lets
    /// lifeboat look for an init once /usr is mounted, while there is still a way back.
    pub(crate) fn before_fstab_is_read(&mut self) {
        self.push(&format!(
            "read_fstab_entry() {{\n\tlifeboat_root=$rootmnt\n\t\
             /usr/sbin/lifeboat rescue mounted && [ -e {SHOWN_ROOT}/etc/fstab ] && rootmnt={SHOWN_ROOT}\n\t\
             {OWN_FUNCTIONS}\n\tread_fstab_entry \"$@\"\n\tlifeboat_found=$?\n\trootmnt=$lifeboat_root\n\t\
             . /conf/param.conf\n\treturn \"$lifeboat_found\"\n}}\n\
             mount_bottom() {{\n\t. \"/scripts/${{BOOT}}\"\n\t\
             [ \"$(/usr/sbin/lifeboat rescue mounted /usr)\" != - ] || lifeboat_panic '{NOT_STARTED}'\n\t\
             mount_bottom\n}}"
        ));
        self.pass_over_ignored();
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

    /// The whole file: the text that others left in it, and our part in place of our earlier one. The earlier one ends
    /// at the last such line: a value may hold one too.
    pub(crate) fn render(&self, existing: &str) -> String {
        let lines: Vec<&str> = existing.split_inclusive('\n').collect();
        let ours = our_part(&lines);
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

/// The lines that are ours, in the file.
fn our_part(lines: &[&str]) -> Range<usize> {
    let begin = lines.iter().position(|line| *line == BEGIN);
    let end = lines.iter().rposition(|line| *line == END);
    begin.zip(end).map_or(0..0, |(begin, end)| begin..end + 1)
}

/// Makes init call us after all other scripts, and adds nothing else to the file.
pub(crate) fn call_us_last() -> Result<()> {
    let existing = files::read_text(PATH)?.unwrap_or_default();
    files::write(PATH, with_last_call(&existing).as_bytes(), 0o644)
}

fn with_last_call(existing: &str) -> String {
    let lines: Vec<&str> = existing.split_inclusive('\n').collect();
    let ours = our_part(&lines);
    if ours.is_empty() {
        let newline = if existing.is_empty() || existing.ends_with('\n') { "" } else { "\n" };
        return format!("{existing}{newline}{BEGIN}{CALL_US_LAST}{END}");
    }
    let mut text = String::new();
    for (place, line) in lines.iter().enumerate() {
        if place + 1 == ours.end {
            text += CALL_US_LAST;
        }
        text += line;
    }
    text
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
    fn init_reads_an_fstab_that_is_shown_to_it_and_asks_once_the_root_is_whole() {
        let mut conf = Conf::default();
        conf.before_fstab_is_read();
        let text = our_part(&conf);
        let text = text.split_once("resolve_device() {").unwrap().0;
        expect![[r#"
            read_fstab_entry() {
            	lifeboat_root=$rootmnt
            	/usr/sbin/lifeboat rescue mounted && [ -e /run/lifeboat/shown/etc/fstab ] && rootmnt=/run/lifeboat/shown
            	. /scripts/functions; . /scripts/local; . /scripts/nfs; . "/scripts/${BOOT}"
            	read_fstab_entry "$@"
            	lifeboat_found=$?
            	rootmnt=$lifeboat_root
            	. /conf/param.conf
            	return "$lifeboat_found"
            }
            mount_bottom() {
            	. "/scripts/${BOOT}"
            	[ "$(/usr/sbin/lifeboat rescue mounted /usr)" != - ] || lifeboat_panic 'The rescue volume cannot be started.'
            	mount_bottom
            }
        "#]]
        .assert_eq(text);
    }

    #[test]
    fn init_calls_us_once_and_what_else_the_file_says_stays() {
        let last = format!("{BEGIN}{CALL_US_LAST}{END}");
        assert_eq!(with_last_call(""), last);
        assert_eq!(with_last_call("X=y"), format!("X=y\n{last}"));
        let mut conf = Conf::default();
        conf.set("init", "/sbin/init");
        let text = with_last_call(&(conf.render("A=b\n") + "X=y\n"));
        assert_eq!(text, format!("A=b\n{BEGIN}{PANIC}init='/sbin/init'\n{CALL_US_LAST}{END}X=y\n"));
        // A later setting that steers init takes its place: it was read by then.
        assert_eq!(conf.render(&text), format!("A=b\nX=y\n{BEGIN}{PANIC}init='/sbin/init'\n{END}"));
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
