//! `VMware`'s guestinfo, asked for through its tools: programs of that name in a root that is `/`.

use crate::work::Live;

/// Has the host's programs below /usr/bin, and `/programs/tool` among them under a name.
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
