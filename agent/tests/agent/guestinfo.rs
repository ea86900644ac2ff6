//! `VMware`'s guestinfo, asked for through its tools: programs of that name in a root that is `/`.

use crate::work::Live;

/// Mounts the host's programs below /usr/bin, and `/programs/tool` among them under a name.
fn beside_the_hosts(tool: &str) -> String {
    let (directory, _) = tool.rsplit_once('/').unwrap();
    format!(
        "mkdir -p \"$1/host\"; mount --bind /usr/bin \"$1/host\"
         mount -t tmpfs tmpfs \"$1/{directory}\"
         [ {directory} != usr/bin ] || for each in /usr/bin/*; do
            ln -s \"/host/${{each##*/}}\" \"$1/usr/bin/\"
         done
         rm -f \"$1/{tool}\"; cp \"$1/programs/tool\" \"$1/{tool}\""
    )
}

/// A machine whose hypervisor keeps these values, each asked for with `info-get`.
fn machine(product: &str, values: &[(&str, &str)]) -> Live {
    let live = Live::new("");
    for path in ["run/lifeboat/seed", "seed/user-data", "seed/meta-data"] {
        std::fs::remove_file(live.path(path)).unwrap();
    }
    live.write("sys/class/dmi/id/product_name", product);
    live.write("sys/class/dmi/id/product_uuid", "4C4C4544-0001\n");
    let mut script = String::from("[ \"$1\" != --cmd ] || shift\ncase $1 in\n");
    script
        .extend(values.iter().map(|(key, value)| format!("'info-get guestinfo.{key}') echo '{value}' ;;\n")));
    live.program("tool", &(script + "*) echo 'No value found' >&2; exit 1 ;;\nesac"));
    live
}

const VALUES: &[(&str, &str)] = &[
    // instance-id: i-9, local-hostname: esx
    ("metadata", "aW5zdGFuY2UtaWQ6IGktOQpsb2NhbC1ob3N0bmFtZTogZXN4Cg=="),
    ("metadata.encoding", "base64"),
    ("userdata", "#cloud-config\nbootcmd: [\"echo user >>/ran\"]"),
    // #!/bin/sh
    ("vendordata", "H4sIAAAAAAACA1NW1E/KzNMvzuACAB2d+wQKAAAA"),
    ("vendordata.encoding", "gzip+base64"),
];

#[test]
fn guestinfo_is_asked_for_through_the_tools_that_are_there() {
    for (tool, before) in
        [("usr/bin/vmware-rpctool", ""), ("usr/bin/vmtoolsd", "--cmd "), ("usr/local/bin/vmtoolsd", "--cmd ")]
    {
        let live = machine("VMware7,1\n", VALUES);
        let (well, said) = live.agent(&["network", "--budget", "2"], &beside_the_hosts(tool));
        assert!(well, "{tool}: {said}");
        assert_eq!(live.read("var/lib/cloud/data/instance-id"), "i-9\n", "{tool}: {said}");
        assert_eq!((live.read("etc/hostname"), live.read("ran")), ("esx\n".into(), "user\n".into()));
        assert_eq!(live.read("var/lib/cloud/instances/i-9/scripts/vendor/part-001"), "#!/bin/sh\n");
        let asked = live.read("called");
        for key in ["metadata", "metadata.encoding", "userdata", "userdata.encoding", "vendordata"] {
            let call = format!("/{tool} {before}info-get guestinfo.{key}");
            assert!(asked.lines().any(|asked| asked == call), "{call} is not in: {asked}");
        }
        assert!(!asked.contains("ovfEnv"), "{asked}");
    }
}

#[test]
fn an_ovf_environment_in_guestinfo_serves_where_there_is_nothing_else() {
    let xml = "<Environment><Property key=\"hostname\" value=\"ovf\"/></Environment>";
    let live = machine("VMware Virtual Platform\n", &[("userdata", "---"), ("ovfEnv", xml)]);
    let (well, said) = live.agent(&["network"], &beside_the_hosts("usr/bin/vmware-rpctool"));
    assert!(well && live.read("etc/hostname") == "ovf\n", "{said}");
    assert!(live.read("called").contains("info-get guestinfo.ovfEnv\n"), "{}", live.read("called"));
}

/// The template of a node's bootstrap: by cloud-init 26.2's source, `get_host_info`.
#[test]
fn the_machines_own_names_are_known_to_templates_and_its_keys_are_taken() {
    let metadata = "instance-id: demo-md-0\nlocal-hostname: demo-md-0\npublic-keys-data: |\n  ssh-ed25519 AAAAvmw admin\n";
    for (text, expected) in [
        ("{{ ds.meta_data.hostname }}", "demo-md-0"),
        ("{{ ds.meta_data.local_hostname }} {{ ds.meta_data[\"local-hostname\"] }}", "demo-md-0 demo-md-0"),
        ("{{ ds.meta_data.local_ipv4 }}", "10.6.0.11"),
        ("{{ ds.meta_data.local_ipv6 }}", "fd00::11"),
        ("{{ ds.meta_data.network.interfaces.by_ipv4[\"10.6.0.11\"].netmask }}", "255.255.240.0"),
        ("{{ ds.meta_data.network.interfaces.by_mac[\"00:50:56:00:00:01\"].ipv4[0].addr }}", "10.6.0.11"),
        ("{{ v1.local_hostname }}", "demo-md-0"),
    ] {
        let script = format!("## template: jinja\n#!/bin/sh\necho \"{}\"\n", text.replace('"', "\\\""));
        let script = script.replace("\\\"", "'\''").replace("'\''", "\"");
        let live = machine("VMware Virtual Platform\n", &[("metadata", metadata), ("userdata", &script)]);
        live.write("root/.profile", "");
        let network = "ip link add eth7 address 00:50:56:00:00:01 type veth peer name eth8; ip link set eth8 up
            ip addr add 10.6.0.11/20 brd + dev eth7; ip addr add fd00::11/64 dev eth7 nodad; ip link set eth7 up
            ip route add default via 10.6.0.1 dev eth7";
        let set_up = format!("{}\n{network}", beside_the_hosts("usr/bin/vmware-rpctool"));
        let (well, said) = live.with_network(&["network", "--budget", "2"], &set_up);
        assert!(well, "{text}: {said}");
        let made = live.read("var/lib/cloud/instances/demo-md-0/scripts/part-001");
        assert!(made.contains(&format!("echo \"{expected}\"")), "{text}: {made}: {said}");
        assert!(said.contains("ssh_authorized_keys: let debian log in with 1 key"), "{said}");
    }
}

#[test]
fn a_tool_that_is_refused_is_no_word_of_what_another_says() {
    let refusal = "echo 'Failed to get privileges' >&2; exit 1";
    for (refused, told) in [(refusal, "Failed to get privileges"), ("exit 71", "exit status: 71")] {
        let live = machine("VMware7,1\n", VALUES);
        live.program("refused", refused);
        let set_up = beside_the_hosts("usr/bin/vmtoolsd")
            + "; cp \"$1/programs/refused\" \"$1/usr/bin/vmware-rpctool\"";
        let (well, said) = live.agent(&["network", "--budget", "2"], &set_up);
        assert!(well && live.read("var/lib/cloud/data/instance-id") == "i-9\n", "{said}");
        assert!(said.contains(told) && said.contains("(asking another tool)"), "{said}");
        assert_eq!(
            live.read("called").matches("vmware-rpctool info-get").count(),
            1,
            "{}",
            live.read("called")
        );
    }
    // Alone, it is a source that is there and silent.
    let live = machine("VMware7,1\n", VALUES);
    live.program("tool", refusal);
    let (well, said) = live.agent(&["network", "--budget", "2"], &beside_the_hosts("usr/bin/vmware-rpctool"));
    assert!(
        !well && said.contains("guestinfo.metadata: timeout ended with exit status: 1: Failed to get"),
        "{said}"
    );
}

#[test]
fn no_tool_is_asked_on_another_machine_and_none_that_hangs_is_waited_for() {
    let live = machine("Standard PC\n", VALUES);
    let (well, said) = live.agent(&["network"], &beside_the_hosts("usr/bin/vmware-rpctool"));
    assert!(well && said.contains("there is no seed"), "{said}");
    assert_eq!(live.read("called"), "");
    // Without the tools nobody is asked either.
    let live = machine("VMware7,1\n", VALUES);
    let (well, said) = live.agent(&["network"], "");
    assert!(well && said.contains("there is no seed"), "{said}");
    // Whatever runs it is told to end it.
    let live = machine("VMware7,1\n", &[]);
    live.program("timeout", "exit 124");
    let (well, said) = live.agent(&["network"], &beside_the_hosts("usr/bin/vmware-rpctool"));
    assert!(!well && said.contains("guestinfo.metadata: timeout ended with exit status: 124\n"), "{said}");
    let asked = live.read("called");
    assert!(
        asked.starts_with("/programs/timeout 10 /usr/bin/vmware-rpctool info-get guestinfo.metadata\n"),
        "{asked}"
    );
}

/// A machine whose guestinfo is kept in files, so that it can be set.
fn with_settable(metadata: &str, userdata: &str) -> Live {
    let live = machine("VMware7,1\n", &[]);
    live.program(
        "tool",
        "[ \"$1\" != --cmd ] || shift\nset -- $1\nk=/gi/${2#guestinfo.}
         case $1 in
            info-set) echo \"$3\" >$k; exit ;;
         esac
         [ ! -f $k.broken ] || exit 71
         [ -f $k ] || { echo 'No value found' >&2; exit 1; }; cat $k",
    );
    live.write("gi/metadata", metadata);
    live.write("gi/userdata", userdata);
    live
}

const EACH_BOOT: &str = "#cloud-config\nbootcmd: [\"echo user >>/ran\"]\n";

/// By cloud-init 26.2's `redact_keys`, but that it is done before the data is kept, and that the next boot has none.
#[test]
fn what_is_to_be_taken_back_is_and_counts_on_the_next_boot() {
    for tool in ["usr/bin/vmware-rpctool", "usr/bin/vmtoolsd"] {
        let live = with_settable("instance-id: i-9\nredact: [userdata]\n", EACH_BOOT);
        for ran in ["user\n", "user\nuser\n"] {
            let (well, said) = live.agent(&["network", "--budget", "2"], &beside_the_hosts(tool));
            assert!(well && !said.contains("warning"), "{said}");
            assert_eq!(
                (live.read("gi/userdata").as_str(), live.read("ran").as_str()),
                ("---\n", ran),
                "{said}"
            );
        }
        assert!(
            live.read("called").contains("info-set guestinfo.userdata.encoding  \n"),
            "{}",
            live.read("called")
        );
        assert!(live.read("gi/metadata").starts_with("instance-id"));
    }
    // What nobody asks for is not done, and what could not be read is still there for the next boot.
    for (metadata, broken) in [("instance-id: i-9\n", ""), ("instance-id: i-9\nredact: userdata\n", "yes")] {
        let live = with_settable(metadata, EACH_BOOT);
        if !broken.is_empty() {
            live.write("gi/userdata.broken", broken);
        }
        let (well, said) =
            live.agent(&["network", "--budget", "2"], &beside_the_hosts("usr/bin/vmware-rpctool"));
        assert_eq!((well, live.read("gi/userdata").as_str()), (broken.is_empty(), EACH_BOOT), "{said}");
        assert!(!live.read("called").contains("info-set"), "{}", live.read("called"));
    }
}

#[test]
fn an_address_is_waited_for_where_the_meta_data_says_so() {
    let script = "## template: jinja\n#!/bin/sh\necho {{ ds.meta_data.local_ipv4 }}\n";
    let link = "ip link add eth7 type veth peer name eth8; ip link set eth8 up; ip link set eth7 up";
    // One process, so that the route comes with the address: only the address is waited for.
    let come = "( for each in 1 2 3 4 5; do ip link show dev eth7 >/dev/null; done; sleep 1
        printf 'addr add 10.6.0.11/20 dev eth7\\nroute add default via 10.6.0.1 dev eth7\\n' | ip -batch - ) &";
    for (wait, come, told) in [
        ("{ipv4: true}", come, ""),
        ("{ipv4: 'yes', ipv6: false}", come, ""),
        ("{ipv4: true}", "", "wait-on-network: no interface has an address of ipv4 after 3 s"),
        ("{ipv4: false}", "", ""),
        ("{}", "", ""),
        ("true", "", "wait-on-network is a yes or no and no mapping"),
    ] {
        let live = with_settable(&format!("instance-id: i-9\nwait-on-network: {wait}\n"), script);
        let set_up = format!("{}\n{link}\n{come}", beside_the_hosts("usr/bin/vmware-rpctool"));
        let (well, said) = live.with_network(&["network", "--budget", "3"], &set_up);
        let made = live.read("var/lib/cloud/instances/i-9/scripts/part-001");
        assert!(well && said.contains(told), "{wait}: {said}");
        assert_eq!(made.contains("10.6.0.11"), !come.is_empty(), "{wait}: {made}: {said}");
        assert_eq!(said.contains("wait-on-network"), !told.is_empty(), "{wait}: {said}");
    }
}
