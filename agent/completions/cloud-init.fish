# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_cloud_init_global_optspecs
    string join \n v/version d/debug h/help
end

function __fish_cloud_init_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_cloud_init_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_cloud_init_using_subcommand
    set -l cmd (__fish_cloud_init_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c cloud-init -n "__fish_cloud_init_needs_command" -s v -l version -d 'Print the version of cloud-init that this behaves like'
complete -c cloud-init -n "__fish_cloud_init_needs_command" -s d -l debug -d 'Accepted, without effect'
complete -c cloud-init -n "__fish_cloud_init_needs_command" -s h -l help -d 'Print help'
complete -c cloud-init -n "__fish_cloud_init_needs_command" -f -a "status" -d 'Show the agent\'s state, and what went wrong (exit status: 0 done, 1 error, 2 warnings)'
complete -c cloud-init -n "__fish_cloud_init_needs_command" -f -a "analyze" -d 'Show where the time of this boot went'
complete -c cloud-init -n "__fish_cloud_init_needs_command" -f -a "query" -d 'Print the instance\'s data'
complete -c cloud-init -n "__fish_cloud_init_needs_command" -f -a "schema" -d 'Show what is wrong with a cloud-config'
complete -c cloud-init -n "__fish_cloud_init_needs_command" -f -a "clean" -d 'Remove the kept instance, so that the next boot is the first one of this image'
complete -c cloud-init -n "__fish_cloud_init_needs_command" -f -a "single" -d 'Carry out one module'
complete -c cloud-init -n "__fish_cloud_init_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c cloud-init -n "__fish_cloud_init_using_subcommand status" -l format -d 'The output\'s format' -r -f -a "tabular\t''
json\t''
yaml\t''"
complete -c cloud-init -n "__fish_cloud_init_using_subcommand status" -l root -d 'Work on the system below this directory; prints commands instead of running them unless it is /' -r -F
complete -c cloud-init -n "__fish_cloud_init_using_subcommand status" -s l -l long -d 'Print details'
complete -c cloud-init -n "__fish_cloud_init_using_subcommand status" -s w -l wait -d 'Wait until the last stage has ended'
complete -c cloud-init -n "__fish_cloud_init_using_subcommand status" -s d -l debug -d 'Accepted, without effect'
complete -c cloud-init -n "__fish_cloud_init_using_subcommand status" -s h -l help -d 'Print help'
complete -c cloud-init -n "__fish_cloud_init_using_subcommand analyze" -l root -d 'Work on the system below this directory; prints commands instead of running them unless it is /' -r -F
complete -c cloud-init -n "__fish_cloud_init_using_subcommand analyze" -s d -l debug -d 'Accepted, without effect'
complete -c cloud-init -n "__fish_cloud_init_using_subcommand analyze" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c cloud-init -n "__fish_cloud_init_using_subcommand query" -s f -l format -d 'Render a template, such as `\'{{ v1.instance_id }}\'`' -r
complete -c cloud-init -n "__fish_cloud_init_using_subcommand query" -s i -l instance-data -d 'Read the instance\'s data from this file' -r -F
complete -c cloud-init -n "__fish_cloud_init_using_subcommand query" -s u -l user-data -d 'Read the user-data from this file' -r -F
complete -c cloud-init -n "__fish_cloud_init_using_subcommand query" -s v -l vendor-data -d 'Read the vendor-data from this file' -r -F
complete -c cloud-init -n "__fish_cloud_init_using_subcommand query" -l root -d 'Work on the system below this directory; prints commands instead of running them unless it is /' -r -F
complete -c cloud-init -n "__fish_cloud_init_using_subcommand query" -s a -l all -d 'Print everything'
complete -c cloud-init -n "__fish_cloud_init_using_subcommand query" -s l -l list-keys -d 'Print the names alone'
complete -c cloud-init -n "__fish_cloud_init_using_subcommand query" -s d -l debug -d 'Accepted, without effect'
complete -c cloud-init -n "__fish_cloud_init_using_subcommand query" -s h -l help -d 'Print help'
complete -c cloud-init -n "__fish_cloud_init_using_subcommand schema" -s c -l config-file -d 'Check this file' -r -F
complete -c cloud-init -n "__fish_cloud_init_using_subcommand schema" -l root -d 'Work on the system below this directory; prints commands instead of running them unless it is /' -r -F
complete -c cloud-init -n "__fish_cloud_init_using_subcommand schema" -l system -d 'Check the instance\'s own configuration'
complete -c cloud-init -n "__fish_cloud_init_using_subcommand schema" -l annotate -d 'Show the text with the errors beside it'
complete -c cloud-init -n "__fish_cloud_init_using_subcommand schema" -s d -l debug -d 'Accepted, without effect'
complete -c cloud-init -n "__fish_cloud_init_using_subcommand schema" -s h -l help -d 'Print help'
complete -c cloud-init -n "__fish_cloud_init_using_subcommand clean" -s c -l configs -d 'Also remove configuration that was made from user-data' -r -f -a "all\t'Each of them'
ssh_config\t'sshd\'s'
network\t'The network\'s'"
complete -c cloud-init -n "__fish_cloud_init_using_subcommand clean" -l root -d 'Work on the system below this directory; prints commands instead of running them unless it is /' -r -F
complete -c cloud-init -n "__fish_cloud_init_using_subcommand clean" -s l -l logs -d 'Also remove the logs'
complete -c cloud-init -n "__fish_cloud_init_using_subcommand clean" -s s -l seed -d 'Also remove the seed below /var/lib/cloud/seed'
complete -c cloud-init -n "__fish_cloud_init_using_subcommand clean" -l machine-id -d 'Also remove the machine-id, so that each machine of this image gets its own'
complete -c cloud-init -n "__fish_cloud_init_using_subcommand clean" -s r -l reboot -d 'Reboot afterwards'
complete -c cloud-init -n "__fish_cloud_init_using_subcommand clean" -s d -l debug -d 'Accepted, without effect'
complete -c cloud-init -n "__fish_cloud_init_using_subcommand clean" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c cloud-init -n "__fish_cloud_init_using_subcommand single" -s n -l name -d 'The module, such as `cc_runcmd` or `scripts_user`' -r
complete -c cloud-init -n "__fish_cloud_init_using_subcommand single" -l frequency -d 'Run it with this frequency' -r -f -a "once\t'Unless it ran on this image'
instance\t'Unless it ran for this instance'
always\t'In any case'"
complete -c cloud-init -n "__fish_cloud_init_using_subcommand single" -l root -d 'Work on the system below this directory; prints commands instead of running them unless it is /' -r -F
complete -c cloud-init -n "__fish_cloud_init_using_subcommand single" -s d -l debug -d 'Accepted, without effect'
complete -c cloud-init -n "__fish_cloud_init_using_subcommand single" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c cloud-init -n "__fish_cloud_init_using_subcommand help; and not __fish_seen_subcommand_from status analyze query schema clean single help" -f -a "status" -d 'Show the agent\'s state, and what went wrong (exit status: 0 done, 1 error, 2 warnings)'
complete -c cloud-init -n "__fish_cloud_init_using_subcommand help; and not __fish_seen_subcommand_from status analyze query schema clean single help" -f -a "analyze" -d 'Show where the time of this boot went'
complete -c cloud-init -n "__fish_cloud_init_using_subcommand help; and not __fish_seen_subcommand_from status analyze query schema clean single help" -f -a "query" -d 'Print the instance\'s data'
complete -c cloud-init -n "__fish_cloud_init_using_subcommand help; and not __fish_seen_subcommand_from status analyze query schema clean single help" -f -a "schema" -d 'Show what is wrong with a cloud-config'
complete -c cloud-init -n "__fish_cloud_init_using_subcommand help; and not __fish_seen_subcommand_from status analyze query schema clean single help" -f -a "clean" -d 'Remove the kept instance, so that the next boot is the first one of this image'
complete -c cloud-init -n "__fish_cloud_init_using_subcommand help; and not __fish_seen_subcommand_from status analyze query schema clean single help" -f -a "single" -d 'Carry out one module'
complete -c cloud-init -n "__fish_cloud_init_using_subcommand help; and not __fish_seen_subcommand_from status analyze query schema clean single help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
