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
complete -c lifeboat-agent -n "__fish_lifeboat_agent_needs_command" -f -a "local" -d 'Before the network is up: set the host name that the kernel command line gives'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_needs_command" -f -a "network" -d 'With the network up: fetch and keep the user-data, and set up what logins need'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_needs_command" -f -a "config" -d 'While services start: set up what logins do not wait for'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_needs_command" -f -a "final" -d 'When the system is up: run the scripts'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_needs_command" -f -a "status" -d 'Show what was done, from which source, and what went wrong (exit status: 0 done, 1 error, 2 warnings)'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_needs_command" -f -a "analyze" -d 'Show where the time of this boot went (exit status: 1 if nothing was traced)'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_needs_command" -f -a "query" -d 'Print the instance\'s data'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_needs_command" -f -a "diff" -d 'Show what changed in the user-data since the instance was new, and what was done about it'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_needs_command" -f -a "clean" -d 'Remove the kept instance, so that the next boot is the first one of this image'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_needs_command" -f -a "single" -d 'Carry out one module'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_needs_command" -f -a "sources" -d 'List the sources, with the answer of each and the time it took; keeps nothing'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_needs_command" -f -a "validate" -d 'List everything that is wrong with user-data, and where (exit status 1); fetches and changes nothing'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_needs_command" -f -a "plan" -d 'Show what user-data would do; fetches and changes nothing'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_needs_command" -f -a "process" -d 'Take a seed apart and write its parts below a root; runs nothing'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_needs_command" -f -a "modules" -d 'Handle the running kernel\'s modules; called by units and kernel packages'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_needs_command" -f -a "rescue" -d 'Repair a machine that was booted from a rescue volume (exit status 3 on others)'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_needs_command" -f -a "generator" -d 'Called by systemd: enable the units if there is a seed or a kept instance'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand local" -l root -d 'Work on the system below this directory; prints commands instead of running them unless it is /' -r -F
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand local" -s h -l help -d 'Print help'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand network" -l root -d 'Work on the system below this directory; prints commands instead of running them unless it is /' -r -F
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand network" -l budget -d 'Seconds for each source, repeated attempts included' -r
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand network" -s h -l help -d 'Print help'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand config" -l root -d 'Work on the system below this directory; prints commands instead of running them unless it is /' -r -F
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand config" -s h -l help -d 'Print help'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand final" -l root -d 'Work on the system below this directory; prints commands instead of running them unless it is /' -r -F
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand final" -s h -l help -d 'Print help'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand status" -l root -d 'Work on the system below this directory; prints commands instead of running them unless it is /' -r -F
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand status" -s w -l wait -d 'Wait until the last stage has ended'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand status" -s l -l long -d 'Show each stage and handler with its time and result, and what switched the agent on'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand status" -l json -d 'Print JSON for programs, with the keys of `cloud-init status --format json`'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand status" -s h -l help -d 'Print help'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand analyze" -l root -d 'Work on the system below this directory; prints commands instead of running them unless it is /' -r -F
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand analyze" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand query" -s f -l format -d 'Render a template, such as `\'{{ v1.instance_id }}\'`' -r
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand query" -s i -l instance-data -d 'Read the instance\'s data from this file' -r -F
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand query" -s u -l user-data -d 'Read the user-data from this file' -r -F
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand query" -s v -l vendor-data -d 'Read the vendor-data from this file' -r -F
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand query" -l root -d 'Work on the system below this directory; prints commands instead of running them unless it is /' -r -F
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand query" -s a -l all -d 'Print everything'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand query" -s l -l list-keys -d 'Print the names alone'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand query" -s h -l help -d 'Print help'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand diff" -l root -d 'Work on the system below this directory; prints commands instead of running them unless it is /' -r -F
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand diff" -s h -l help -d 'Print help'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand clean" -s c -l configs -d 'Also remove configuration that was made from user-data' -r -f -a "all\t'Each of them'
ssh_config\t'sshd\'s'
network\t'The network\'s'"
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand clean" -l root -d 'Work on the system below this directory; prints commands instead of running them unless it is /' -r -F
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand clean" -s l -l logs -d 'Also remove the logs'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand clean" -s s -l seed -d 'Also remove the seed below /var/lib/cloud/seed'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand clean" -l machine-id -d 'Also remove the machine-id, so that each machine of this image gets its own'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand clean" -s r -l reboot -d 'Reboot afterwards'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand clean" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand single" -s n -l name -d 'The module, such as `cc_runcmd` or `scripts_user`' -r
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand single" -l frequency -d 'Run it with this frequency' -r -f -a "once\t'Unless it ran on this image'
instance\t'Unless it ran for this instance'
always\t'In any case'"
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand single" -l root -d 'Work on the system below this directory; prints commands instead of running them unless it is /' -r -F
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand single" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand sources" -l root -d 'Work on the system below this directory; prints commands instead of running them unless it is /' -r -F
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand sources" -l budget -d 'Seconds for each source, repeated attempts included' -r
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand sources" -s h -l help -d 'Print help'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand validate" -l root -d 'Work on the system below this directory; prints commands instead of running them unless it is /' -r -F
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand validate" -l json -d 'Print JSON for programs'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand validate" -s h -l help -d 'Print help'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand plan" -l root -d 'Work on the system below this directory; prints commands instead of running them unless it is /' -r -F
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand plan" -s h -l help -d 'Print help'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand process" -l seed -d 'Directory with user-data, and optionally meta-data and vendor-data' -r -F
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand process" -l root -d 'Work on the system below this directory; prints commands instead of running them unless it is /' -r -F
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand process" -s h -l help -d 'Print help'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand modules; and not __fish_seen_subcommand_from settle aside fetch help" -s h -l help -d 'Print help'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand modules; and not __fish_seen_subcommand_from settle aside fetch help" -f -a "settle" -d 'Uncover the disk\'s /lib/modules, and leave the export at the running kernel\'s directory alone'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand modules; and not __fish_seen_subcommand_from settle aside fetch help" -f -a "aside" -d 'Move the export aside until `settle`, before a kernel\'s package changes the disk'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand modules; and not __fish_seen_subcommand_from settle aside fetch help" -f -a "fetch" -d 'Fetch missing modules from the URL in lifeboat.modules-url= or /etc/default/lifeboat-agent'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand modules; and not __fish_seen_subcommand_from settle aside fetch help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand modules; and __fish_seen_subcommand_from settle" -l root -d 'Work on the system below this directory; prints commands instead of running them unless it is /' -r -F
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand modules; and __fish_seen_subcommand_from settle" -s h -l help -d 'Print help'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand modules; and __fish_seen_subcommand_from aside" -l root -d 'Work on the system below this directory; prints commands instead of running them unless it is /' -r -F
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand modules; and __fish_seen_subcommand_from aside" -s h -l help -d 'Print help'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand modules; and __fish_seen_subcommand_from fetch" -l root -d 'Work on the system below this directory; prints commands instead of running them unless it is /' -r -F
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand modules; and __fish_seen_subcommand_from fetch" -l budget -d 'Seconds for all of the fetching, repeated attempts included' -r
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand modules; and __fish_seen_subcommand_from fetch" -s h -l help -d 'Print help'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand modules; and __fish_seen_subcommand_from help" -f -a "settle" -d 'Uncover the disk\'s /lib/modules, and leave the export at the running kernel\'s directory alone'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand modules; and __fish_seen_subcommand_from help" -f -a "aside" -d 'Move the export aside until `settle`, before a kernel\'s package changes the disk'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand modules; and __fish_seen_subcommand_from help" -f -a "fetch" -d 'Fetch missing modules from the URL in lifeboat.modules-url= or /etc/default/lifeboat-agent'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand modules; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand rescue; and not __fish_seen_subcommand_from status mount umount finish help" -s h -l help -d 'Print help'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand rescue; and not __fish_seen_subcommand_from status mount umount finish help" -f -a "status" -d 'Show what was booted and why, where the original root is, and what the next boot will do'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand rescue; and not __fish_seen_subcommand_from status mount umount finish help" -f -a "mount" -d 'Mount the original root; not a byte of it changes without --rw'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand rescue; and not __fish_seen_subcommand_from status mount umount finish help" -f -a "umount" -d 'Unmount the original root, with everything that is mounted in it'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand rescue; and not __fish_seen_subcommand_from status mount umount finish help" -f -a "finish" -d 'Mark the rescue volume as finished, so that the next boot starts the original root'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand rescue; and not __fish_seen_subcommand_from status mount umount finish help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand rescue; and __fish_seen_subcommand_from status" -l root -d 'Work on the system below this directory; prints commands instead of running them unless it is /' -r -F
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand rescue; and __fish_seen_subcommand_from status" -s h -l help -d 'Print help'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand rescue; and __fish_seen_subcommand_from mount" -l root -d 'Work on the system below this directory; prints commands instead of running them unless it is /' -r -F
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand rescue; and __fish_seen_subcommand_from mount" -l rw -d 'Mount it writable, for repairs'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand rescue; and __fish_seen_subcommand_from mount" -l chroot -d 'Enter it, with devices, name resolution and the running kernel\'s modules'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand rescue; and __fish_seen_subcommand_from mount" -s h -l help -d 'Print help'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand rescue; and __fish_seen_subcommand_from umount" -l root -d 'Work on the system below this directory; prints commands instead of running them unless it is /' -r -F
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand rescue; and __fish_seen_subcommand_from umount" -s h -l help -d 'Print help'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand rescue; and __fish_seen_subcommand_from finish" -l root -d 'Work on the system below this directory; prints commands instead of running them unless it is /' -r -F
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand rescue; and __fish_seen_subcommand_from finish" -s h -l help -d 'Print help'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand rescue; and __fish_seen_subcommand_from help" -f -a "status" -d 'Show what was booted and why, where the original root is, and what the next boot will do'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand rescue; and __fish_seen_subcommand_from help" -f -a "mount" -d 'Mount the original root; not a byte of it changes without --rw'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand rescue; and __fish_seen_subcommand_from help" -f -a "umount" -d 'Unmount the original root, with everything that is mounted in it'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand rescue; and __fish_seen_subcommand_from help" -f -a "finish" -d 'Mark the rescue volume as finished, so that the next boot starts the original root'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand rescue; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand generator" -l root -d 'Work on the system below this directory; prints commands instead of running them unless it is /' -r -F
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand generator" -s h -l help -d 'Print help'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand help; and not __fish_seen_subcommand_from local network config final status analyze query diff clean single sources validate plan process modules rescue generator help" -f -a "local" -d 'Before the network is up: set the host name that the kernel command line gives'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand help; and not __fish_seen_subcommand_from local network config final status analyze query diff clean single sources validate plan process modules rescue generator help" -f -a "network" -d 'With the network up: fetch and keep the user-data, and set up what logins need'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand help; and not __fish_seen_subcommand_from local network config final status analyze query diff clean single sources validate plan process modules rescue generator help" -f -a "config" -d 'While services start: set up what logins do not wait for'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand help; and not __fish_seen_subcommand_from local network config final status analyze query diff clean single sources validate plan process modules rescue generator help" -f -a "final" -d 'When the system is up: run the scripts'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand help; and not __fish_seen_subcommand_from local network config final status analyze query diff clean single sources validate plan process modules rescue generator help" -f -a "status" -d 'Show what was done, from which source, and what went wrong (exit status: 0 done, 1 error, 2 warnings)'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand help; and not __fish_seen_subcommand_from local network config final status analyze query diff clean single sources validate plan process modules rescue generator help" -f -a "analyze" -d 'Show where the time of this boot went (exit status: 1 if nothing was traced)'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand help; and not __fish_seen_subcommand_from local network config final status analyze query diff clean single sources validate plan process modules rescue generator help" -f -a "query" -d 'Print the instance\'s data'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand help; and not __fish_seen_subcommand_from local network config final status analyze query diff clean single sources validate plan process modules rescue generator help" -f -a "diff" -d 'Show what changed in the user-data since the instance was new, and what was done about it'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand help; and not __fish_seen_subcommand_from local network config final status analyze query diff clean single sources validate plan process modules rescue generator help" -f -a "clean" -d 'Remove the kept instance, so that the next boot is the first one of this image'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand help; and not __fish_seen_subcommand_from local network config final status analyze query diff clean single sources validate plan process modules rescue generator help" -f -a "single" -d 'Carry out one module'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand help; and not __fish_seen_subcommand_from local network config final status analyze query diff clean single sources validate plan process modules rescue generator help" -f -a "sources" -d 'List the sources, with the answer of each and the time it took; keeps nothing'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand help; and not __fish_seen_subcommand_from local network config final status analyze query diff clean single sources validate plan process modules rescue generator help" -f -a "validate" -d 'List everything that is wrong with user-data, and where (exit status 1); fetches and changes nothing'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand help; and not __fish_seen_subcommand_from local network config final status analyze query diff clean single sources validate plan process modules rescue generator help" -f -a "plan" -d 'Show what user-data would do; fetches and changes nothing'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand help; and not __fish_seen_subcommand_from local network config final status analyze query diff clean single sources validate plan process modules rescue generator help" -f -a "process" -d 'Take a seed apart and write its parts below a root; runs nothing'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand help; and not __fish_seen_subcommand_from local network config final status analyze query diff clean single sources validate plan process modules rescue generator help" -f -a "modules" -d 'Handle the running kernel\'s modules; called by units and kernel packages'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand help; and not __fish_seen_subcommand_from local network config final status analyze query diff clean single sources validate plan process modules rescue generator help" -f -a "rescue" -d 'Repair a machine that was booted from a rescue volume (exit status 3 on others)'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand help; and not __fish_seen_subcommand_from local network config final status analyze query diff clean single sources validate plan process modules rescue generator help" -f -a "generator" -d 'Called by systemd: enable the units if there is a seed or a kept instance'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand help; and not __fish_seen_subcommand_from local network config final status analyze query diff clean single sources validate plan process modules rescue generator help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand help; and __fish_seen_subcommand_from modules" -f -a "settle" -d 'Uncover the disk\'s /lib/modules, and leave the export at the running kernel\'s directory alone'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand help; and __fish_seen_subcommand_from modules" -f -a "aside" -d 'Move the export aside until `settle`, before a kernel\'s package changes the disk'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand help; and __fish_seen_subcommand_from modules" -f -a "fetch" -d 'Fetch missing modules from the URL in lifeboat.modules-url= or /etc/default/lifeboat-agent'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand help; and __fish_seen_subcommand_from rescue" -f -a "status" -d 'Show what was booted and why, where the original root is, and what the next boot will do'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand help; and __fish_seen_subcommand_from rescue" -f -a "mount" -d 'Mount the original root; not a byte of it changes without --rw'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand help; and __fish_seen_subcommand_from rescue" -f -a "umount" -d 'Unmount the original root, with everything that is mounted in it'
complete -c lifeboat-agent -n "__fish_lifeboat_agent_using_subcommand help; and __fish_seen_subcommand_from rescue" -f -a "finish" -d 'Mark the rescue volume as finished, so that the next boot starts the original root'
