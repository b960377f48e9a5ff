package fence

// The drivers, as a device names them.
const (
	// DriverIPMI speaks IPMI in the daemon, DriverIPMITool runs ipmitool for boards that only
	// get on with it, DriverRedfish speaks Redfish over verified TLS.
	DriverIPMI     = "ipmi"
	DriverIPMITool = "ipmitool"
	DriverRedfish  = "redfish"
	// DriverAgent runs a program of the fence-agents project.
	DriverAgent = "agent"
	// DriverSimulated switches no machine; it is there for demonstrations.
	DriverSimulated = "simulated"
	// DriverStorage, DriverWatchdog and DriverPill prove otherwise than by power.
	DriverStorage  = "scsi"
	DriverWatchdog = "watchdog"
	DriverPill     = "sbd"
)

// The options of the drivers.
const (
	OptionCipher    = "cipher"
	OptionPrivilege = "privilege"
	// OptionIdentity is the UUID that a board is known to tell although it is not its host's,
	// or Assumed where a board cannot tell. A UUID counts together with a drill only.
	OptionIdentity    = "identity"
	OptionAuth        = "auth"
	OptionCA          = "ca"
	OptionFingerprint = "fingerprint"
	OptionInsecure    = "insecure"
	OptionSystem      = "system"
	OptionAgent       = "agent"
	OptionPlug        = "plug"
	// OptionDevices names a device's disks, separated by spaces.
	OptionDevices = "devices"
	// OptionCommand names a program that reserves disks which this kernel does not have.
	OptionCommand  = "command"
	OptionWatchdog = "watchdog"
	OptionTimeout  = "timeout"
	OptionLease    = "lease"
)

// Assumed is the identity of an outlet that a person answers for.
const Assumed = "assumed"

// The words of some options.
const (
	Administrator = "administrator"
	Operator      = "operator"
	AuthSession   = "session"
	AuthBasic     = "basic"
)

// schemas are all drivers. A new one is a line here, its package, and its place in the daemon's
// list of drivers.
var schemas = []Schema{
	ipmi(DriverIPMI), ipmi(DriverIPMITool), redfish, agent, storage, watchdog, pill,
	{Driver: DriverSimulated, Effect: ByPower, Reached: true, Open: true},
}

func ipmi(driver string) Schema {
	return Schema{Driver: driver, Effect: ByPower, Reached: true, Options: []Option{
		{Name: OptionPrivilege, Kind: OneOf, Allowed: []string{Administrator, Operator}, Default: Administrator,
			Help: "`administrator` (the default) or `operator`"},
		{Name: OptionCipher, Kind: OneOf, Allowed: []string{"3", "17"},
			Help: "`17` or `3`; without it 17 is tried, then 3"},
		{Name: OptionIdentity, Kind: UUID,
			Help: "the GUID that this board tells, where it is not the machine's hardware UUID"},
	}}
}

var redfish = Schema{
	Driver: DriverRedfish, Effect: ByPower, Reached: true, Patient: true,
	Exclusive: []string{OptionCA, OptionFingerprint, OptionInsecure},
	Options: []Option{
		{Name: OptionAuth, Kind: OneOf, Allowed: []string{AuthSession, AuthBasic}, Default: AuthSession,
			Help: "`session` (the default; one session per attempt, closed at its end) or `basic`"},
		{Name: OptionFingerprint, Kind: Digests, Counts: [2]int{1, 4},
			Help: "SHA-256 of the BMC's certificate. Up to four, with commas"},
		{Name: OptionCA, Kind: Certificates,
			Help: "the PEM of the authority that signed the BMC's certificate (`ca: \\|` and the text below it)"},
		{Name: OptionInsecure, Kind: OneOf, Allowed: []string{"true", "false"}, Default: "false",
			Help: "`\"true\"` believes any certificate: who sits in between learns the password. Only when written out"},
		{Name: OptionSystem, Help: "the system's id (the last part of its path) or its name, where a service manages " +
			"several (blades). With the id it alone is asked"},
		{Name: OptionIdentity, Kind: UUID,
			Help: "the UUID that this board tells, where it is not the machine's hardware UUID"},
	},
}

var agent = Schema{
	Driver: DriverAgent, Effect: ByPower, Open: true, Piped: true, Mute: true,
	Refused: map[string]string{
		"action": "the cluster chooses the action",
		"option": "the cluster chooses the action",
		"delay": "the agent would wait after it was asked whether the fence is still wanted, and then " +
			"shoot the next boot",
		"missing_as_off": "a missing outlet is not one that is off",
		"debug":          "it writes the password to a file",
		"debug_file":     "it writes the password to a file",
		"version":        "it makes the agent do something else",
		"help":           "it makes the agent do something else",
		"password":       "options are shown; write it as the device's password or password_file",
		"passwd":         "options are shown; write it as the device's password or password_file",
	},
	Options: []Option{
		{Name: OptionAgent, Kind: Agent, Required: true,
			Advice: "name the fence agent, for example options: {agent: fence_apc_snmp}",
			Help:   "the program's name, or its absolute path"},
		{Name: OptionPlug, Help: "the outlet. Where the agent needs one and none is written, the node's name is sent; " +
			"then a check can only ask whether the device answers, and power cannot be switched on"},
		{Name: OptionIdentity, Kind: OneOf, Allowed: []string{Assumed}, Help: "`assumed`: see below"},
	},
}

// pickDisks is what to write where a device names no disks.
const pickDisks = "name its disks, for example options: {devices: /dev/disk/by-id/wwn-0x...}"

var storage = Schema{Driver: DriverStorage, Effect: ByStorage, Options: []Option{
	{Name: OptionDevices, Kind: WholeDisks, Counts: [2]int{1, 64}, AnyWith: OptionCommand, Required: true,
		Advice: pickDisks, Help: "the disks, with spaces: `/dev/disk/by-id/wwn-0x…`, `scsi-3…`, `dm-uuid-mpath-3…`, " +
			"`nvme-eui.…` (NVMe is untried). 64 at most"},
	{Name: OptionCommand, Kind: Path,
		Help: "a program that speaks the helper's protocol, for initiators outside the kernel"},
}}

var watchdog = Schema{Driver: DriverWatchdog, Effect: ByWatchdog, Options: []Option{
	{Name: OptionTimeout, Kind: Seconds, Default: DefaultTimeout.String(), Help: "whole seconds, 15s by default. Read " +
		"back when it is armed; a watchdog that does not take it is refused"},
	{Name: OptionLease, Kind: Seconds, Default: DefaultLease.String(), Help: "whole seconds, 10s by default: longer " +
		"than a change of the leader takes (1 s, 2 s or 4 s by profile), shorter than the timeout"},
	{Name: OptionWatchdog, Kind: Path, Default: DefaultWatchdog, Help: "the device, `/dev/watchdog` by default. A UNIX " +
		"socket instead of a device is a simulated watchdog, for pretended machines such as the lab's: what listens " +
		"there ends the machine. `config check --devices` and `clusterd doctor` say so"},
}}

var pill = Schema{Driver: DriverPill, Effect: ByPill, Options: []Option{
	{Name: OptionDevices, Kind: Disks, Counts: [2]int{1, 3}, Odd: true, Required: true, Advice: pickDisks,
		Help: "one or three disks, `/dev/disk/by-id/…`. Not mirrored, not on a logical volume"},
	{Name: OptionTimeout, Kind: Seconds, Default: DefaultTimeout.String(),
		Help: "the watchdog's, as in the disk's header, 15s by default"},
	{Name: OptionWatchdog, Kind: Path, Default: DefaultWatchdog, Help: "the device, as for the driver `watchdog`"},
}}
