# Completion of clustat for fish. Made from its options; a test of the tool writes it anew.

function __clustat_names
	clustat -x -f 2>/dev/null | sed -n 's/.*<'$argv[1]' name="\([^"]*\)".*/\1/p'
end
function __clustat_path
	set -l words (commandline -opc)
	set -e words[1]
	string join ' ' -- (string match -v -- '-*' $words)
end
function __clustat_at
	set -l path (__clustat_path)
	test "$path" = "$argv[1]"
end
function __clustat_below
	set -l path (__clustat_path)
	string match -q -- "$argv[1] *" "$path "
end
complete -c clustat -f
complete -c clustat -l interval -s i -x -d 'refresh every N seconds until q is pressed; arrow and page keys scroll'
complete -c clustat -l local-id -s I -d 'print the id of this node'
complete -c clustat -l member -s m -x -a '(__clustat_names node)' -d 'show one NODE; exit code 0 online, 1 offline, 255 unknown'
complete -c clustat -l service -s s -x -a '(__clustat_names group)' -d 'show one SERVICE; the exit code tells its state'
complete -c clustat -l xml -s x -d 'print XML'
complete -c clustat -l quorum -s Q -d 'print nothing; exit code 0 with a quorum, 1 without'
complete -c clustat -l fast -s f -d 'show what this node knows, without asking the others'
complete -c clustat -l long -s l -d 'show services in detail'
complete -c clustat -l classic -d 'show rgmanager'\''s tables on a terminal too: fixed columns, no colour'
complete -c clustat -l why -x -a '(__clustat_names group)' -d 'say why a SERVICE is where it is: each node with its rank, or the rule that rules it out'
complete -c clustat -l json -d 'print JSON'
complete -c clustat -l moves -d 'show the last live moves: how long they took, how long the guest stood still; -s and -m filter them'
complete -c clustat -l events -d 'show the timeline; -s, -m and --code filter it'
complete -c clustat -l follow -d 'with --events: go on with new events'
complete -c clustat -l code -x -d 'with --events: those with the code CODE, or the codes that fit a pattern such as '\''fence-*'\'''
complete -c clustat -l after -x -d 'with --events: those after the event INDEX, as shown by --json; to continue where a reader stopped (default: the last events)'
complete -c clustat -l limit -x -d 'with --events and --moves: the last N (default: 40)'
complete -c clustat -l version -s v -d 'print the version'
complete -c clustat -l help -s h -d 'show this help'
complete -c clustat -l socket -r -F -d 'PATH of the local daemon'\''s socket, if not by run_dir of node.yaml'
complete -c clustat -l host -x -d 'ask the daemon on another HOST, with a client certificate'
complete -c clustat -l identity -r -F -d 'FOLDER with ca.pem, client.pem and client.key'
