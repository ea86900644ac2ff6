//! Users, groups and their keys: what is called, and who has which key in the end.

use crate::work::Live;

/// As strict as the real one about groups, and all files are root's.
const USERADD: &str = r#"
name=$1; shift; gid=; groups=; own=yes
while [ $# -gt 0 ]; do
    case $1 in
        --gid) gid=$2; shift;;
        --groups) groups=$(echo "$2" | tr , ' '); shift;;
        --no-user-group) own=;;
        --comment|--shell|--home-dir|--uid) shift;;
    esac
    shift
done
fail() { echo "useradd: $2" >&2; exit "$1"; }
grep -q "^$name:" /etc/passwd && fail 9 "user '$name' already exists"
for group in $gid $groups; do grep -q "^$group:" /etc/group || fail 6 "group '$group' does not exist"; done
if [ -z "$gid" ] && [ -n "$own" ]; then
    grep -q "^$name:" /etc/group && fail 9 "group $name exists - if you want to add this user to that group, use -g."
    echo "$name:x:0:" >>/etc/group
fi
echo "$name:x:0:0::/home/$name:/bin/sh" >>/etc/passwd
mkdir -p "/home/$name"
"#;

const GROUPADD: &str = r#"grep -q "^$1:" /etc/group && { echo "groupadd: group '$1' already exists" >&2; exit 9; }; echo "$1:x:0:" >>/etc/group"#;

/// A Debian whose user-data and meta-data are these.
fn debian(user_data: &str, meta_data: &str) -> Live {
    let live = Live::new(&format!("#cloud-config\n{user_data}"));
    live.write("seed/meta-data", &format!("instance-id: i-1\n{meta_data}"));
    live.write("etc/os-release", "ID=debian\n");
    live.write("etc/passwd", "root:x:0:0::/root:/bin/sh\nsys:x:3:3:sys:/dev:/usr/sbin/nologin\n");
    live.write("etc/group", "root:x:0:\nsys:x:3:\nsudo:x:27:\nusers:x:100:\n");
    live.write("root/.profile", "");
    live.program("useradd", USERADD);
    live.program("groupadd", GROUPADD);
    for name in ["passwd", "chpasswd", "usermod"] {
        live.program(name, "cat >/dev/null");
    }
    live
}

/// Boots: the calls of groupadd, useradd and usermod, without options about comments; and what was told.
fn booted(live: &Live) -> (String, String) {
    let (well, said) = live.call("network --budget 2");
    assert!(well && !said.contains("error: "), "{said}");
    let called = live.read("called");
    let calls = called.lines().filter_map(|line| line.strip_prefix("/programs/"));
    let calls: Vec<_> = calls.filter(|line| !line.starts_with("passwd")).collect();
    (calls.join("\n") + "\n", said)
}

fn keys(live: &Live, home: &str) -> String {
    live.read(&format!("{home}/.ssh/authorized_keys"))
}

#[test]
fn without_a_default_user_the_keys_are_roots_and_guarded() {
    for (user_data, meta_data) in [
        ("users: []\nssh_authorized_keys: [ssh-ed25519 AAAAtop top]\n", ""),
        ("users: []\n", "public-keys: [ssh-ed25519 AAAAtop top]\n"),
        (
            "users: [{name: bob, ssh_authorized_keys: [ssh-ed25519 AAAAbob bob]}]\n",
            "public-keys: [ssh-ed25519 AAAAtop top]\n",
        ),
        (
            "users: [{name: bob, ssh_authorized_keys: [ssh-ed25519 AAAAbob bob]}]\nssh_authorized_keys: [ssh-ed25519 AAAAtop top]\n",
            "",
        ),
    ] {
        let live = debian(user_data, meta_data);
        let (calls, said) = booted(&live);
        assert!(!calls.contains("debian") && !said.contains("warning"), "{user_data}{meta_data}{said}");
        let root = keys(&live, "root");
        assert!(
            root.starts_with("no-port-forwarding,") && root.ends_with("\" ssh-ed25519 AAAAtop top\n"),
            "{root}"
        );
        assert!(root.contains("as the user \\\"NONE\\\""), "{root}");
        let bob = if user_data.contains("bob") { "ssh-ed25519 AAAAbob bob\n" } else { "" };
        assert_eq!(keys(&live, "home/bob"), bob);
    }
}

#[test]
fn root_has_the_keys_as_they_are_where_it_is_not_disabled() {
    let live = debian("users: []\ndisable_root: false\nssh_authorized_keys: [ssh-ed25519 AAAAtop top]\n", "");
    booted(&live);
    assert_eq!(keys(&live, "root"), "ssh-ed25519 AAAAtop top\n");
}

#[test]
fn the_default_users_entries_are_one_user() {
    let live = debian(
        "users:\n- default\n- {name: debian, shell: /bin/zsh, groups: [docker], ssh_authorized_keys: [ssh-ed25519 AAAAx x]}\n",
        "public-keys: [ssh-ed25519 AAAAtop top]\n",
    );
    let (calls, _) = booted(&live);
    assert_eq!(calls.matches("useradd").count(), 1, "{calls}");
    assert!(calls.contains("groupadd docker\n") && calls.contains("--shell /bin/zsh"), "{calls}");
    assert!(calls.contains("--groups adm,audio,cdrom,dialout,dip,docker,"), "{calls}");
    assert_eq!(keys(&live, "home/debian"), "ssh-ed25519 AAAAx x\nssh-ed25519 AAAAtop top\n");
    let root = keys(&live, "root");
    assert!(
        root.contains("as the user \\\"debian\\\"") && root.ends_with("\" ssh-ed25519 AAAAtop top\n"),
        "{root}"
    );
}

#[test]
fn user_renames_the_default_user() {
    let live = debian(
        "user: alice\nssh_authorized_keys: [ssh-ed25519 AAAAone alice@laptop]\nchpasswd: {expire: False}\nusers: [default]\n",
        "",
    );
    let (calls, _) = booted(&live);
    assert!(calls.contains("useradd alice ") && calls.contains(",sudo,"), "{calls}");
    assert!(!calls.contains("useradd debian"), "{calls}");
    assert_eq!(keys(&live, "home/alice"), "ssh-ed25519 AAAAone alice@laptop\n");
    assert!(live.read("etc/sudoers.d/90-cloud-init-users").contains("alice ALL=(ALL) NOPASSWD:ALL\n"));
}

#[test]
fn groups_are_made_before_who_is_in_them() {
    let live = debian(
        "groups:\n- ops: [carol, sys]\n- cloudy\nusers:\n- name: alice\n  gecos: Alice A\n  primary_group: alice\n  \
         groups: users\n  lock_passwd: false\n  passwd: $6$rounds=4096$abc$defghijk\n",
        "",
    );
    let (calls, said) = booted(&live);
    assert_eq!(
        calls,
        "groupadd ops\ngroupadd cloudy\ngroupadd alice\n\
         useradd alice --comment Alice A --gid alice --groups users -m\nchpasswd -e\nusermod -a -G ops sys\n"
    );
    assert!(said.contains("warning: users: groups: ops: there is no user `carol`"), "{said}");
}

#[test]
fn a_group_of_the_users_own_name_is_used() {
    let dave = "ssh_authorized_keys: [ssh-ed25519 AAAAx x]";
    for (user_data, groups) in [
        (format!("users: [{{name: dave, groups: 'dave, sudo', {dave}}}]\n"), ""),
        (format!("users: [{{name: dave, groups: sudo, {dave}}}]\n"), "dave:x:50:\n"),
        (format!("users: [{{name: eve, groups: [dave]}}, {{name: dave, groups: sudo, {dave}}}]\n"), ""),
        (format!("groups: [dave]\nusers: [{{name: dave, groups: [sudo], {dave}}}]\n"), ""),
    ] {
        let live = debian(&user_data, "");
        live.write("etc/group", &format!("{}{groups}", live.read("etc/group")));
        let (calls, _) = booted(&live);
        assert!(calls.contains("useradd dave --gid dave --groups sudo -m\n"), "{user_data}{calls}");
        assert_eq!(keys(&live, "home/dave"), "ssh-ed25519 AAAAx x\n");
    }
    // Without such a group, useradd makes it.
    let live = debian(&format!("users: [{{name: dave, groups: sudo, {dave}}}]\n"), "");
    assert!(booted(&live).0.contains("useradd dave --groups sudo -m\n"));
}

#[test]
fn a_user_who_cannot_be_made_is_one_error_that_holds_the_reason() {
    let user =
        "{name: erin, uid: 5, lock_passwd: false, passwd: x, ssh_authorized_keys: [ssh-ed25519 AAAAx x]}";
    let live = debian(
        &format!("user: erin\nusers: [{user}, bob]\nssh_authorized_keys: [ssh-ed25519 AAAAy y]\n"),
        "",
    );
    live.write("var/log/cloud-init-output.log", "of another boot\n");
    live.program(
        "useradd",
        &format!("[ $1 != erin ] || {{ echo 'useradd: UID 5 is not unique' >&2; exit 4; }}\n{USERADD}"),
    );
    let (well, said) = live.call("network --budget 2");
    assert!(!well, "{said}");
    let errors: Vec<_> = said.lines().filter(|line| line.contains("error: ")).collect();
    let [error] = errors[..] else { panic!("{errors:#?}") };
    assert!(
        error.contains("run useradd erin") && error.contains("; it said: useradd: UID 5 is not unique"),
        "{error}"
    );
    assert!(!error.contains("of another boot"), "{error}");
    for left_out in ["run chpasswd", "let erin log in with 1 key"] {
        assert!(said.contains(&format!("left out, for erin was not made: {left_out}")), "{said}");
    }
    assert!(live.read("called").contains("useradd bob"), "{said}");
    let status = live.read("run/cloud-init/status.json");
    assert!(status.contains("UID 5 is not unique") && !status.contains("chpasswd"), "{status}");
    // A password that cannot be set is a fault of its own.
    let live = debian("users: [{name: erin, lock_passwd: no, passwd: x}]\n", "");
    live.program("chpasswd", "echo 'chpasswd: line 1: no shadow file' >&2; exit 1");
    let (well, said) = live.call("network --budget 2");
    assert!(!well && said.contains("; it said: chpasswd: line 1: no shadow file"), "{said}");
}

#[test]
fn the_password_of_a_user_who_is_there_is_unlocked_and_set() {
    let user_data = "users:
- {name: sys, lock_passwd: false}
- {name: open, lock_passwd: false}
- {name: other, lock_passwd: false, hashed_passwd: $6$new, passwd: $6$less}
- {name: late, passwd: $6$new}
";
    let live = debian(user_data, "");
    for (name, field) in [("sys", "!$6$old"), ("open", "$6$old"), ("other", "!"), ("late", "!$6$old")] {
        live.write("etc/passwd", &format!("{}{name}:x:3:3::/dev:/bin/sh\n", live.read("etc/passwd")));
        live.write("etc/shadow", &format!("{}{name}:{field}:1::::::\n", live.read("etc/shadow")));
    }
    let (well, said) = live.call("network --budget 2");
    let called = live.read("called");
    let calls: Vec<_> = called.lines().filter_map(|line| line.strip_prefix("/programs/")).collect();
    assert!(well, "{said}");
    assert_eq!(calls, ["passwd -u sys", "chpasswd -e", "passwd -l late"], "{said}");
    assert!(said.contains("entry 4: late: passwd: it is for new users, and this one is there"), "{said}");
}

#[test]
fn a_plan_lets_nobody_in_who_is_not_made() {
    let live = debian("", "");
    for (config, has, has_not) in [
        ("users: [bob]", "turn away who logs in as root with 1 key", "debian"),
        ("users: [default]", "let debian log in with 1 key", "bob"),
        ("user: alice", "let alice log in with 1 key", "debian"),
    ] {
        live.write("data", &format!("#cloud-config\nssh_authorized_keys: [ssh-ed25519 AAAA]\n{config}\n"));
        let (well, said) = live.agent(&["plan", "/data"], "exec 1>&2");
        assert!(well && said.contains(has) && !said.contains(has_not), "{config}: {said}");
    }
}

#[test]
fn names_are_as_they_are_written_and_validate_agrees() {
    let live = debian("", "");
    live.write(
        "data",
        "#cloud-config\nwrite_files: [{path: /a, owner: 33:33, content: 0644}]\nhostname: 0123\n",
    );
    let (_, said) = live.agent(&["plan", "/data"], "exec 1>&2");
    assert!(said.contains("write /a (4 bytes, mode 0644, owner 33:33)"), "{said}");
    assert!(said.contains("set the host name to 0123\n"), "{said}");
    let (well, said) = live.agent(&["validate", "/data"], "exec 1>&2");
    assert!(well, "{said}");
}
