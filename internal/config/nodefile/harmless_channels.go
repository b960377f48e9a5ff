package nodefile

import (
	"regexp"
	"slices"
	"strings"
)

// channelFolders are those in which libvirt puts the sockets of guest agents by itself, each
// guest's in a folder of its own. Older ones had a folder target in between.
var channelFolders = []string{
	"/var/lib/libvirt/qemu/channel/target/", "/var/lib/libvirt/qemu/channel/",
	"/run/libvirt/qemu/channel/target/", "/run/libvirt/qemu/channel/",
	"/var/run/libvirt/qemu/channel/target/", "/var/run/libvirt/qemu/channel/",
}

// shortName is how many letters of a guest's name libvirt takes for its folder.
const shortName = 20

var libvirtID = regexp.MustCompile(`^[0-9]+-`)

// isOwnChannel says whether a socket is where libvirt puts those of the guest of this name. At that
// of another guest it would take away what is there, and answer in its place.
func isOwnChannel(at, guest string) bool {
	return guest != "" && slices.ContainsFunc(channelFolders, func(folder string) bool {
		return below(folder, at) && isChannelOf(strings.TrimPrefix(at, folder), guest)
	})
}

// isChannelOf knows what libvirt has written in its time: GUEST.AGENT, domain-GUEST/AGENT,
// domain-ID-GUEST/AGENT and ID-GUEST/AGENT. Guests that are alike for so many letters cannot be
// told apart by it.
func isChannelOf(path, guest string) bool {
	folder, agent, inFolder := strings.Cut(path, "/")
	if !inFolder {
		return strings.HasPrefix(path, guest+".")
	}
	if strings.Contains(agent, "/") {
		return false
	}
	of, isNamed := strings.CutPrefix(folder, "domain-")
	id := libvirtID.FindString(of)
	if id == "" {
		return isNamed && of == guest
	}
	of = strings.TrimPrefix(of, id)
	letters := []rune(guest)
	return of == guest || of == string(letters[:min(len(letters), shortName)])
}
