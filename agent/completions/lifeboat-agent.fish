# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_lifeboat_agent_global_optspecs
    string join \n h/help V/version
end

function __fish_lifeboat_agent_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_lifeboat_agent_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_lifeboat_agent_using_subcommand
    set -l cmd (__fish_lifeboat_agent_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c lifeboat-agent -n "__fish_lifeboat_agent_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_needs_command" -s V -l version -d 'Print version'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_needs_command" -f -a "local" -d 'Before the network: set the host name that the kernel command line gives'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_needs_command" -f -a "network" -d 'With the network: fetch and keep the user-data, and carry out what must be there before logins'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_needs_command" -f -a "final" -d 'With the system up: run the scripts'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_needs_command" -f -a "status" -d 'Say what was done, from which source, and what went wrong (exit status 0, 1 error, 2 warnings)'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_needs_command" -f -a "query" -d 'Print what is known of the instance'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_needs_command" -f -a "diff" -d 'Say what has changed in the user-data since the instance was new, and what became of it'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_needs_command" -f -a "clean" -d 'Remove what was kept, so that the next boot is the first one of this image'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_needs_command" -f -a "sources" -d 'Say which sources were looked for, what each said and how long it took; nothing is kept'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_needs_command" -f -a "validate" -d 'Say everything that is wrong with user-data, and where (exit status 1); nothing is fetched or changed'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_needs_command" -f -a "plan" -d 'Say what user-data files, or the kept ones, would do together; nothing is fetched or changed'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_needs_command" -f -a "process" -d 'Take a seed apart and write its parts below a root; nothing is run'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_needs_command" -f -a "modules" -d 'The running kernel\'s modules, from the initramfs or the network; for units and kernel packages'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_needs_command" -f -a "rescue" -d 'In a system that was booted from a rescue volume (exit status 3 in any other)'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_needs_command" -f -a "generator" -d 'Called by systemd: have the units started where there is a seed or a kept instance'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand local" -l root -d 'Work on the system below this directory; on any but / commands are told and not run' -r -F
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand local" -s h -l help -d 'Print help'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand network" -l root -d 'Work on the system below this directory; on any but / commands are told and not run' -r -F
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand network" -l budget -d 'Seconds that each source may take, with every repeated attempt' -r
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand network" -s h -l help -d 'Print help'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand final" -l root -d 'Work on the system below this directory; on any but / commands are told and not run' -r -F
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand final" -s h -l help -d 'Print help'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand status" -l root -d 'Work on the system below this directory; on any but / commands are told and not run' -r -F
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand status" -s w -l wait -d 'Wait until the last stage has ended'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand status" -s l -l long -d 'Say when each stage began and ended, and what switched the agent on'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand status" -l json -d 'Print it for programs, with the keys of `cloud-init status --format json`'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand status" -s h -l help -d 'Print help'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand query" -s f -l format -d 'Render a template, such as `\'{{ v1.instance_id }}\'`' -r
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand query" -s i -l instance-data -d 'Another file in the place of what is known' -r -F
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand query" -s u -l user-data -d 'Another file in the place of the instance\'s user-data' -r -F
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand query" -s v -l vendor-data -d 'Another file in the place of the instance\'s vendor-data' -r -F
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand query" -l root -d 'Work on the system below this directory; on any but / commands are told and not run' -r -F
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand query" -s a -l all -d 'Print everything'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand query" -s l -l list-keys -d 'Print the names alone'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand query" -s h -l help -d 'Print help'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand diff" -l root -d 'Work on the system below this directory; on any but / commands are told and not run' -r -F
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand diff" -s h -l help -d 'Print help'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand clean" -s c -l configs -d 'Configuration that was made from user-data' -r -f -a "all\t'Each of them'
ssh_config\t'sshd\'s'
network\t'The network\'s'"
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand clean" -l root -d 'Work on the system below this directory; on any but / commands are told and not run' -r -F
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand clean" -s l -l logs -d 'The logs'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand clean" -s s -l seed -d 'The seed below /var/lib/cloud/seed'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand clean" -l machine-id -d 'The machine-id, so that each machine of this image gets its own'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand clean" -s r -l reboot -d 'Reboot when it is done'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand clean" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand sources" -l root -d 'Work on the system below this directory; on any but / commands are told and not run' -r -F
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand sources" -l budget -d 'Seconds that each source may take, with every repeated attempt' -r
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand sources" -s h -l help -d 'Print help'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand validate" -l root -d 'Work on the system below this directory; on any but / commands are told and not run' -r -F
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand validate" -l json -d 'Print it for programs'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand validate" -s h -l help -d 'Print help'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand plan" -l root -d 'Work on the system below this directory; on any but / commands are told and not run' -r -F
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand plan" -s h -l help -d 'Print help'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand process" -l seed -d 'Directory with user-data, and perhaps meta-data and vendor-data' -r -F
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand process" -l root -d 'Work on the system below this directory; on any but / commands are told and not run' -r -F
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand process" -s h -l help -d 'Print help'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand modules; and not __fish_seen_subcommand_from settle aside fetch help" -s h -l help -d 'Print help'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand modules; and not __fish_seen_subcommand_from settle aside fetch help" -f -a "settle" -d 'Uncover the disk\'s modules, with the export on its own directory alone, or use the disk\'s in its place'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand modules; and not __fish_seen_subcommand_from settle aside fetch help" -f -a "aside" -d 'Before a kernel\'s package changes the disk: have the export make way until `settle`'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand modules; and not __fish_seen_subcommand_from settle aside fetch help" -f -a "fetch" -d 'Fetch them from where lifeboat.modules-url= or /etc/default/lifeboat-agent says, if they are missing'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand modules; and not __fish_seen_subcommand_from settle aside fetch help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand modules; and __fish_seen_subcommand_from settle" -l root -d 'Work on the system below this directory; on any but / commands are told and not run' -r -F
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand modules; and __fish_seen_subcommand_from settle" -s h -l help -d 'Print help'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand modules; and __fish_seen_subcommand_from aside" -l root -d 'Work on the system below this directory; on any but / commands are told and not run' -r -F
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand modules; and __fish_seen_subcommand_from aside" -s h -l help -d 'Print help'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand modules; and __fish_seen_subcommand_from fetch" -l root -d 'Work on the system below this directory; on any but / commands are told and not run' -r -F
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand modules; and __fish_seen_subcommand_from fetch" -l budget -d 'Seconds that fetching may take in all, with every repeated attempt' -r
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand modules; and __fish_seen_subcommand_from fetch" -s h -l help -d 'Print help'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand modules; and __fish_seen_subcommand_from help" -f -a "settle" -d 'Uncover the disk\'s modules, with the export on its own directory alone, or use the disk\'s in its place'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand modules; and __fish_seen_subcommand_from help" -f -a "aside" -d 'Before a kernel\'s package changes the disk: have the export make way until `settle`'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand modules; and __fish_seen_subcommand_from help" -f -a "fetch" -d 'Fetch them from where lifeboat.modules-url= or /etc/default/lifeboat-agent says, if they are missing'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand modules; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand rescue; and not __fish_seen_subcommand_from status mount umount finish help" -s h -l help -d 'Print help'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand rescue; and not __fish_seen_subcommand_from status mount umount finish help" -f -a "status" -d 'Say what was booted and why, where the original root is, and what the next boot will do'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand rescue; and not __fish_seen_subcommand_from status mount umount finish help" -f -a "mount" -d 'Mount the original root, so that not a byte of it changes unless --rw is given'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand rescue; and not __fish_seen_subcommand_from status mount umount finish help" -f -a "umount" -d 'Unmount the original root, and all that is mounted in it'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand rescue; and not __fish_seen_subcommand_from status mount umount finish help" -f -a "finish" -d 'Mark the rescue volume as finished: the next boot is the original root\'s again'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand rescue; and not __fish_seen_subcommand_from status mount umount finish help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand rescue; and __fish_seen_subcommand_from status" -l root -d 'Work on the system below this directory; on any but / commands are told and not run' -r -F
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand rescue; and __fish_seen_subcommand_from status" -s h -l help -d 'Print help'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand rescue; and __fish_seen_subcommand_from mount" -l root -d 'Work on the system below this directory; on any but / commands are told and not run' -r -F
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand rescue; and __fish_seen_subcommand_from mount" -l rw -d 'For repairs'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand rescue; and __fish_seen_subcommand_from mount" -l chroot -d 'Enter it, with devices, network names and the running kernel\'s modules'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand rescue; and __fish_seen_subcommand_from mount" -s h -l help -d 'Print help'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand rescue; and __fish_seen_subcommand_from umount" -l root -d 'Work on the system below this directory; on any but / commands are told and not run' -r -F
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand rescue; and __fish_seen_subcommand_from umount" -s h -l help -d 'Print help'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand rescue; and __fish_seen_subcommand_from finish" -l root -d 'Work on the system below this directory; on any but / commands are told and not run' -r -F
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand rescue; and __fish_seen_subcommand_from finish" -s h -l help -d 'Print help'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand rescue; and __fish_seen_subcommand_from help" -f -a "status" -d 'Say what was booted and why, where the original root is, and what the next boot will do'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand rescue; and __fish_seen_subcommand_from help" -f -a "mount" -d 'Mount the original root, so that not a byte of it changes unless --rw is given'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand rescue; and __fish_seen_subcommand_from help" -f -a "umount" -d 'Unmount the original root, and all that is mounted in it'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand rescue; and __fish_seen_subcommand_from help" -f -a "finish" -d 'Mark the rescue volume as finished: the next boot is the original root\'s again'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand rescue; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand generator" -l root -d 'Work on the system below this directory; on any but / commands are told and not run' -r -F
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand generator" -s h -l help -d 'Print help'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand help; and not __fish_seen_subcommand_from local network final status query diff clean sources validate plan process modules rescue generator help" -f -a "local" -d 'Before the network: set the host name that the kernel command line gives'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand help; and not __fish_seen_subcommand_from local network final status query diff clean sources validate plan process modules rescue generator help" -f -a "network" -d 'With the network: fetch and keep the user-data, and carry out what must be there before logins'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand help; and not __fish_seen_subcommand_from local network final status query diff clean sources validate plan process modules rescue generator help" -f -a "final" -d 'With the system up: run the scripts'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand help; and not __fish_seen_subcommand_from local network final status query diff clean sources validate plan process modules rescue generator help" -f -a "status" -d 'Say what was done, from which source, and what went wrong (exit status 0, 1 error, 2 warnings)'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand help; and not __fish_seen_subcommand_from local network final status query diff clean sources validate plan process modules rescue generator help" -f -a "query" -d 'Print what is known of the instance'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand help; and not __fish_seen_subcommand_from local network final status query diff clean sources validate plan process modules rescue generator help" -f -a "diff" -d 'Say what has changed in the user-data since the instance was new, and what became of it'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand help; and not __fish_seen_subcommand_from local network final status query diff clean sources validate plan process modules rescue generator help" -f -a "clean" -d 'Remove what was kept, so that the next boot is the first one of this image'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand help; and not __fish_seen_subcommand_from local network final status query diff clean sources validate plan process modules rescue generator help" -f -a "sources" -d 'Say which sources were looked for, what each said and how long it took; nothing is kept'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand help; and not __fish_seen_subcommand_from local network final status query diff clean sources validate plan process modules rescue generator help" -f -a "validate" -d 'Say everything that is wrong with user-data, and where (exit status 1); nothing is fetched or changed'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand help; and not __fish_seen_subcommand_from local network final status query diff clean sources validate plan process modules rescue generator help" -f -a "plan" -d 'Say what user-data files, or the kept ones, would do together; nothing is fetched or changed'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand help; and not __fish_seen_subcommand_from local network final status query diff clean sources validate plan process modules rescue generator help" -f -a "process" -d 'Take a seed apart and write its parts below a root; nothing is run'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand help; and not __fish_seen_subcommand_from local network final status query diff clean sources validate plan process modules rescue generator help" -f -a "modules" -d 'The running kernel\'s modules, from the initramfs or the network; for units and kernel packages'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand help; and not __fish_seen_subcommand_from local network final status query diff clean sources validate plan process modules rescue generator help" -f -a "rescue" -d 'In a system that was booted from a rescue volume (exit status 3 in any other)'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand help; and not __fish_seen_subcommand_from local network final status query diff clean sources validate plan process modules rescue generator help" -f -a "generator" -d 'Called by systemd: have the units started where there is a seed or a kept instance'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand help; and not __fish_seen_subcommand_from local network final status query diff clean sources validate plan process modules rescue generator help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand help; and __fish_seen_subcommand_from modules" -f -a "settle" -d 'Uncover the disk\'s modules, with the export on its own directory alone, or use the disk\'s in its place'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand help; and __fish_seen_subcommand_from modules" -f -a "aside" -d 'Before a kernel\'s package changes the disk: have the export make way until `settle`'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand help; and __fish_seen_subcommand_from modules" -f -a "fetch" -d 'Fetch them from where lifeboat.modules-url= or /etc/default/lifeboat-agent says, if they are missing'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand help; and __fish_seen_subcommand_from rescue" -f -a "status" -d 'Say what was booted and why, where the original root is, and what the next boot will do'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand help; and __fish_seen_subcommand_from rescue" -f -a "mount" -d 'Mount the original root, so that not a byte of it changes unless --rw is given'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand help; and __fish_seen_subcommand_from rescue" -f -a "umount" -d 'Unmount the original root, and all that is mounted in it'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand help; and __fish_seen_subcommand_from rescue" -f -a "finish" -d 'Mark the rescue volume as finished: the next boot is the original root\'s again'
