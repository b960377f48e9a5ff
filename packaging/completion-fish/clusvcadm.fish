# Completion of clusvcadm for fish. Made from its options; a test of the tool writes it anew.

function __clusvcadm_names
	clustat -x -f 2>/dev/null | sed -n 's/.*<'$argv[1]' name="\([^"]*\)".*/\1/p'
end
function __clusvcadm_path
	set -l words (commandline -opc)
	set -e words[1]
	string join ' ' -- (string match -v -- '-*' $words)
end
function __clusvcadm_at
	set -l path (__clusvcadm_path)
	test "$path" = "$argv[1]"
end
function __clusvcadm_below
	set -l path (__clusvcadm_path)
	string match -q -- "$argv[1] *" "$path "
end
complete -c clusvcadm -f
complete -c clusvcadm -l enable -s e -x -a '(__clusvcadm_names group)' -d 'enable (start) a SERVICE'
complete -c clusvcadm -l disable -s d -x -a '(__clusvcadm_names group)' -d 'disable a SERVICE: stop it until it is enabled again'
complete -c clusvcadm -l stop -s s -x -a '(__clusvcadm_names group)' -d 'stop a SERVICE until the next transition of a service or node'
complete -c clusvcadm -l relocate -s r -x -a '(__clusvcadm_names group)' -d 'relocate a SERVICE: stop it here, start it elsewhere'
complete -c clusvcadm -l migrate -s M -x -a '(__clusvcadm_names group)' -d 'migrate a SERVICE live; needs -m'
complete -c clusvcadm -l restart -s R -x -a '(__clusvcadm_names group)' -d 'restart a SERVICE where it runs'
complete -c clusvcadm -l freeze -s Z -x -a '(__clusvcadm_names group)' -d 'freeze a SERVICE: leave it alone whatever happens'
complete -c clusvcadm -l unfreeze -s U -x -a '(__clusvcadm_names group)' -d 'unfreeze a SERVICE'
complete -c clusvcadm -l member -s m -s n -x -a '(__clusvcadm_names node)' -d 'the NODE to use, for -e, -r and -M'
complete -c clusvcadm -l failover-domain -s F -d 'with -e: start where the failover domain says best'
complete -c clusvcadm -l for -x -d 'with -Z: end the freeze after this TIME, for example 2h (default: until it is unfrozen)'
complete -c clusvcadm -l convalesce -s c -x -a '(__clusvcadm_names group)' -d 'convalesce a SERVICE: start the non-critical resources again that it goes on without'
complete -c clusvcadm -l cancel -x -a '(__clusvcadm_names group)' -d 'cancel the live migration of a SERVICE that is under way'
complete -c clusvcadm -l tune -x -a '(__clusvcadm_names group)' -d 'change the limits of the live migration of a SERVICE; needs --set'
complete -c clusvcadm -l set -x -d 'KEY=VALUE of a live migration, with -M or --tune: bandwidth=200 (MiB/s) or downtime=300ms; with -M also mode=hybrid (or pre-copy, post-copy), auto_converge=true or compression=true'
complete -c clusvcadm -l lock -s l -d 'lock the cluster: no service may start, stops still work'
complete -c clusvcadm -l unlock -s u -d 'unlock the cluster'
complete -c clusvcadm -l show-lock -s S -d 'show whether the cluster is locked'
complete -c clusvcadm -l wait -x -d 'wait at most this TIME, for example 90s; 0 does not wait (default: no limit)'
complete -c clusvcadm -l dry-run -d 'show what would happen, and why, and do nothing'
complete -c clusvcadm -l declared-disks -d 'with -d, -s, -r, -R and -e: use the declared disks, and give up what was written to others'
complete -c clusvcadm -l reason -x -d 'TEXT for the timeline'
complete -c clusvcadm -l json -d 'print the reply as JSON'
complete -c clusvcadm -l quiet -s q -d 'print nothing but errors'
complete -c clusvcadm -l version -s v -d 'print the version'
complete -c clusvcadm -l help -s h -d 'show this help'
complete -c clusvcadm -l socket -r -F -d 'PATH of the local daemon'\''s socket, if not by run_dir of node.yaml'
complete -c clusvcadm -l host -x -d 'ask the daemon on another HOST, with a client certificate'
complete -c clusvcadm -l identity -r -F -d 'FOLDER with ca.pem, client.pem and client.key'
