package nodefile

import (
	"path"
	"regexp"
	"slices"
	"strings"
)

// The folders in which distributions and libvirt itself keep what a definition names by its path
// though it reaches nothing else.
const (
	firmwareFolder  = "/usr/share/"
	variablesFolder = "/var/lib/libvirt/qemu/nvram/"
)

var timezones = regexp.MustCompile(`^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*$`)

// shapesOfMachine are those of what is not a device.
var shapesOfMachine = map[string]shape{
	"domain": {
		attributes: "type id",
		prose:      "name title description metadata resource",
		plain: "uuid hwuuid genid memory maxMemory currentMemory vcpu vcpus iothreads iothreadids defaultiothread " +
			"cputune memtune numatune blkiotune features cpu pm perf on_poweroff on_reboot on_crash on_lockfailure keywrap " +
			"throttlegroups",
		inside: "os devices memoryBacking sysinfo seclabel launchSecurity clock",
		judge:  oneOf("type", "", "kvm", "qemu"),
	},
	"os": {
		attributes: "firmware",
		prose:      "cmdline",
		plain:      "type boot bootmenu smbios bios firmware",
		inside:     "kernel initrd=kernel dtb=kernel loader nvram",
	},
	"kernel": {text: true, judge: always("kernel")},
	"loader": {attributes: "readonly type secure stateless format", text: true, judge: judgeLoader},
	"nvram": {
		attributes: "template/ templateFormat type format", inside: "source=nvramSource", text: true,
		judge: judgeVariables,
	},
	"memoryBacking": {
		plain:  "hugepages nosharepages locked access allocation discard",
		inside: "source=backingMemory",
	},
	"backingMemory": {attributes: "type", judge: oneOf("type", "", "anonymous", "memfd")},
	"sysinfo": {
		attributes: "type", prose: "bios system baseBoard chassis oemStrings", inside: "entry=firmwareSetting",
		judge: oneOf("type", "", "smbios", "fwcfg"),
	},
	"firmwareSetting": {attributes: "name/", text: true},
	"seclabel":        {attributes: "type model relabel", prose: "label imagelabel baselabel", judge: judgeConfinement},
	"launchSecurity": {
		attributes: "type kernelHashes authorKey vcek",
		prose: "cbitpos reducedPhysBits policy dhCert session guestVisibleWorkarounds idBlock idAuth hostData " +
			"mrConfigId mrOwner mrOwnerConfig",
	},
	"clock": {attributes: "offset basis adjustment start timezone/", plain: "timer", judge: judgeClock},
}

// oneOf judges an element by an attribute that has to be one of some words.
func oneOf(attribute string, words ...string) func(*element, findings) {
	return func(e *element, found findings) {
		if !slices.Contains(words, e.attributes[attribute]) {
			found.add(other, "the "+attribute+" of "+e.String())
		}
	}
}

// always judges an element by its mere presence.
func always(power string) func(*element, findings) {
	return func(e *element, found findings) { found.add(power, e.String()) }
}

// below says whether a path is in a folder and names it without detours.
func below(folder, at string) bool { return strings.HasPrefix(at, folder) && path.Clean(at) == at }

// judgeLoader: firmware that the guest may write, or that is anybody's file, is no distribution's.
func judgeLoader(e *element, found findings) {
	if e.own() != "" && (!below(firmwareFolder, e.own()) || e.attributes["readonly"] == "no") {
		found.add("kernel", e.String())
	}
}

// judgeVariables: a template is read as root and shown to the guest; the file is written for it.
func judgeVariables(e *element, found findings) {
	if from := e.attributes["template"]; from != "" && !below(firmwareFolder, from) {
		found.add("kernel", "the template of "+e.String())
	}
	if e.own() != "" && !below(variablesFolder, e.own()) {
		found.add("file-disk", e.String())
	}
	switch e.attributes["type"] {
	case "", "file", "network":
	case "block":
		found.add("block-disk", e.String())
	default:
		found.add(other, "the type of "+e.String())
	}
}

func judgeVariablesAt(e *element, found findings) {
	if file := e.attributes["file"]; file != "" && !below(variablesFolder, file) {
		found.add("file-disk", "<nvram>")
	}
	if e.attributes["dir"] != "" {
		found.add("file-disk", "<nvram>")
	}
	if e.attributes["dev"] != "" {
		found.add("block-disk", "<nvram>")
	}
}

// judgeConfinement: a label that the definition chooses is as good as none.
func judgeConfinement(e *element, found findings) {
	kind, relabel := e.attributes["type"], e.attributes["relabel"]
	chosen := e.has("baselabel", func(*element) bool { return true })
	if kind != "" && kind != "dynamic" || relabel == "no" || chosen {
		found.add("unconfined", e.String())
	}
}

func judgeClock(e *element, found findings) {
	if zone := e.attributes["timezone"]; zone != "" && !timezones.MatchString(zone) {
		found.add(other, "the timezone of "+e.String())
	}
}
