package membership

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/clusterd/clusterd/internal/config/nodefile"
)

// kernelBootID is fresh at each boot of the operating system (random(4)).
const kernelBootID = "/proc/sys/kernel/random/boot_id"

// BootID reads the boot id of the operating system.
func BootID(node nodefile.Node) (string, error) {
	path := node.BootIDFile
	if path == "" {
		path = kernelBootID
	}
	return readWord(path, "the boot id")
}

// HardwareUUID reads the machine's hardware UUID. Where a machine tells none
// (some boards, containers), one is derived from the machine id, so that the
// machine still has an identity; its BMC cannot be recognised by it.
func HardwareUUID(node nodefile.Node) (string, error) {
	uuid, err := readWord(node.HardwareUUIDFile, "the hardware UUID")
	if err == nil {
		return strings.ToLower(uuid), nil
	}
	id, idErr := readWord("/etc/machine-id", "the machine id")
	if idErr != nil {
		return "", fmt.Errorf("%w; give hardware_uuid_file in %s", err, nodefile.Path)
	}
	sum := sha256.Sum256([]byte("clusterd " + id))
	h := hex.EncodeToString(sum[:16])
	return fmt.Sprintf("%s-%s-%s-%s-%s", h[:8], h[8:12], h[12:16], h[16:20], h[20:]), nil
}

func readWord(path, what string) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("read %s: %w", what, err)
	}
	word := strings.TrimSpace(string(text))
	if word == "" || len(word) > 128 {
		return "", fmt.Errorf("read %s: %s holds no usable value", what, path)
	}
	return word, nil
}

// Advertised is the address under which the others reach a node's TLS port.
// Without a configured address it is the one that leads to the outside.
func Advertised(node nodefile.Node) (string, error) {
	host := node.Address
	if host == "" {
		found, err := outwardAddress()
		if err != nil {
			return "", fmt.Errorf("find this host's address: %w; give address in %s", err, nodefile.Path)
		}
		host = found
	}
	return net.JoinHostPort(host, strconv.Itoa(node.Port)), nil
}

// outwardAddress is the first global unicast address of an interface that is up.
func outwardAddress() (string, error) {
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return "", err
	}
	for _, a := range addresses {
		if network, ok := a.(*net.IPNet); ok && network.IP.IsGlobalUnicast() && network.IP.To4() != nil {
			return network.IP.String(), nil
		}
	}
	return "", fmt.Errorf("no interface has a global IPv4 address")
}

// WithPort gives another port of the host behind an address. Every node of a
// cluster uses the same port numbers.
func WithPort(address string, port int) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = address
	}
	return net.JoinHostPort(host, strconv.Itoa(port))
}

// HostsOf is the host part of an address, for a certificate's names.
func HostsOf(address string) []string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil
	}
	return []string{host}
}

// OnThisHost says what is wrong with the address of a node that is founded or joins: the
// others would ask for it in vain.
func OnThisHost(node nodefile.Node) error {
	if node.Address == "" {
		return nil
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(node.Address, "0"))
	if err == nil {
		return listener.Close()
	}
	if errors.Is(err, syscall.EADDRNOTAVAIL) {
		return fmt.Errorf("this host does not have the address %s; correct address in %s, or bring the interface up",
			node.Address, nodefile.Path)
	}
	return fmt.Errorf("the address %s cannot be used: %w", node.Address, err)
}
