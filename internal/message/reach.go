package message

// The hypervisor of a node, as the node itself tells of it.
var (
	HypervisorHung     = New("hypervisor-hung", "its hypervisor does not answer, so it is given no VM: {reason}")
	HypervisorBack     = New("hypervisor-back", "its hypervisor answers again")
	NodeAgrees         = New("node-agrees", "what clusterd there knows is what the other nodes agreed upon again")
	HypervisorOutdated = New("hypervisor-outdated",
		"what {node} says about its hypervisor is from an older incarnation")
	HypervisorTooLong = New("hypervisor-too-long", "what {node} says about its hypervisor is too long")
)

// The data volume of a node, as the node itself tells of it.
var (
	VolumeBack     = New("volume-back", "its data volume works again")
	VolumeOutdated = New("volume-outdated", "what {node} says about its volume is from an older incarnation")
	VolumeTooLong  = New("volume-too-long", "what {node} says about its volume is too long")
)

// Checks of fence devices.
var (
	DeviceUnusable = New("device-unusable", "fence device {device} cannot be used from {node}: {problem}")
	// DeviceDead: every node that asks the device fails.
	DeviceDead = New("device-dead", "fence device {device} cannot be used from any of {nodes}: {problem}")
	DeviceBack = New("device-back", "fence device {device} answers again to every node that asks it")
	// DeviceLoginChanged: between the document and the device only one of two logins works.
	DeviceLoginChanged = New("device-login-changed",
		"fence device {device} takes its new login; the old one is forgotten")

	CheckDeviceUnknown = New("check-device-unknown", "there is no fence device {device}")
)
