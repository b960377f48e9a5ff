package message

// Nodes, hosts and daemons.
var (
	DoBootOrConfirm = New("do-boot-or-confirm",
		"boot {node}, or make sure that it is off and say so with `clusterd fence confirm {node}`")
	DoConfirmOff        = New("do-confirm-off", "make sure that {node} is off, then: `clusterd fence confirm {node}`")
	DoRestartHost       = New("do-restart-host", "restart the host")
	DoRestartDaemon     = New("do-restart-daemon", "`systemctl restart clusterd` on {node}")
	DoReadDaemonLog     = New("do-read-daemon-log", "on {node}: `journalctl -u clusterd` says why it ends")
	DoRunDoctor         = New("do-run-doctor", "`clusterd doctor` on {node} says what is in the way")
	DoReturnNode        = New("do-return-node", "`clusterd node return {node}`")
	DoUpgradeOrRemove   = New("do-upgrade-or-remove", "upgrade clusterd there, or remove what is gone for good")
	DoLookAtWarning     = New("do-look-at-warning", "see what `clustat` warns of on {node}")
	DoRestartHypervisor = New("do-restart-hypervisor",
		"on {node}: `systemctl restart libvirtd` (or virtqemud), which leaves VMs running")
)

// Fencing.
var (
	DoArmFencing   = New("do-arm-fencing", "`clusterd fence arm` ends that")
	DoArmOrConfirm = New("do-arm-or-confirm",
		"`clusterd fence arm` ends that; if you know that its machine is off: `clusterd fence confirm {node}`")
	DoOverrideBrake = New("do-override-brake", "`clusterd fence node {node} --off` overrides the brake")
	DoRepairDevice  = New("do-repair-device",
		"repair its fence device; `clusterd fence status {node}` shows all that it says")
)

// Acts that take long.
var (
	DoReadActLog    = New("do-read-act-log", "on {node}: `journalctl -u clusterd` tells of act {act}")
	DoRestartForAct = New("do-restart-for-act",
		"on {node}: `journalctl -u clusterd` tells of act {act}; "+
			"`systemctl restart clusterd` makes it check what became of that, and touches no VM")
	DoCancelMigration = New("do-cancel-migration", "`clusvcadm --cancel {service}` gives it up")
	DoDestroyVM       = New("do-destroy-vm", "`virsh destroy {vm}` on {node}")
)

// Services that are not started, or not as they should be.
var (
	DoThawService  = New("do-thaw-service", "`clusvcadm -U {service}`")
	DoStartNow     = New("do-start-now", "`clusvcadm -e {service}` starts it now")
	DoStopAgain    = New("do-stop-again", "`clusvcadm -d {service}` tries to stop it again")
	DoStopDisabled = New("do-stop-disabled", "`clusvcadm -d {service}` stops it")
	DoKeepOrStop   = New("do-keep-or-stop", "`clusvcadm -e {service}` keeps it, `clusvcadm -d {service}` stops it")
	DoFixAndEnable = New("do-fix-and-enable",
		"fix the cause, then `clusvcadm -e {service}`; it is tried again every {pause}")
	DoFixAndResume    = New("do-fix-and-resume", "fix the cause, then `virsh resume` on {node}")
	DoResumeOrDestroy = New("do-resume-or-destroy", "resume it with `virsh resume` on {node}, or destroy it there")
	DoIfQEMUHangs     = New("do-if-qemu-hangs", "if its hypervisor answers and its QEMU hangs: {advice}")
	DoDestroyCopy     = New("do-destroy-copy",
		"decide which one is right and `virsh destroy` the other; it is not moved before that")
	DoDestroyOrDeclare = New("do-destroy-or-declare",
		"if it still runs there, stop it with `virsh destroy`, or declare it again with its UUID {uuid}")
	DoNothingForDependency = New("do-nothing-for-dependency", "it starts by itself after what it depends on")
	DoNothingForNode       = New("do-nothing-for-node", "it starts by itself when a legal node is online")
)

// Services that cannot move, or run where they should not.
var (
	DoMoveAnyway        = New("do-move-anyway", "`{command}` moves it all the same")
	DoRelocate          = New("do-relocate", "`clusvcadm -r {service}` stops it and starts it on another node")
	DoRelocateThere     = New("do-relocate-there", "`clusvcadm -r {service} -m {target}` stops it and starts it there")
	DoMigrateOrRelocate = New("do-migrate-or-relocate",
		"`clusvcadm -M {service} -m {target}` tries it again, `clusvcadm -r {service}` stops and starts it")
	DoMakeDomainRoom = New("do-make-domain-room",
		"make room on a member of its domain, or change the domain; it moves by itself then")
	DoMoveOrChangeRule = New("do-move-or-change-rule", "move one of the two, or change the rule")
	DoMoveObstacle     = New("do-move-obstacle",
		"{service} blocks it on {node}, where an administrator put it: `{command}` makes room")
	DoMoveObstacles   = New("do-move-obstacles", "make room for it: {commands}")
	DoNothingForMove  = New("do-nothing-for-move", "it moves there by itself when that is over")
	DoNothingForLeave = New("do-nothing-for-leave", "it goes by itself when a legal node is there")
)
