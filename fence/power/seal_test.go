package power

import (
	"bytes"
	"encoding/binary"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/test/bmc"
)

// interceptor stands between driver and BMC and may add datagrams of its own.
type interceptor struct {
	front, back *net.UDPConn
	// forge returns what is sent to the driver before an answer of the BMC.
	forge func(answer []byte) [][]byte

	mu     sync.Mutex
	driver *net.UDPAddr
	forged int
}

func intercept(t *testing.T, target string, forge func([]byte) [][]byte) *interceptor {
	t.Helper()
	front, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	address, err := net.ResolveUDPAddr("udp", target)
	if err != nil {
		t.Fatal(err)
	}
	back, err := net.DialUDP("udp", nil, address)
	if err != nil {
		t.Fatal(err)
	}
	i := &interceptor{front: front, back: back, forge: forge}
	var running sync.WaitGroup
	running.Go(i.forward)
	running.Go(i.answer)
	t.Cleanup(func() {
		_ = front.Close()
		_ = back.Close()
		running.Wait()
	})
	return i
}

func (i *interceptor) forward() {
	buffer := make([]byte, 4096)
	for {
		n, from, err := i.front.ReadFromUDP(buffer)
		if err != nil {
			return
		}
		i.mu.Lock()
		i.driver = from
		i.mu.Unlock()
		_, _ = i.back.Write(buffer[:n])
	}
}

func (i *interceptor) answer() {
	buffer := make([]byte, 4096)
	for {
		n, err := i.back.Read(buffer)
		if err != nil {
			return
		}
		i.mu.Lock()
		to := i.driver
		i.mu.Unlock()
		for _, packet := range i.forge(bytes.Clone(buffer[:n])) {
			i.mu.Lock()
			i.forged++
			i.mu.Unlock()
			_, _ = i.front.WriteToUDP(packet, to)
		}
		_, _ = i.front.WriteToUDP(buffer[:n], to)
	}
}

func (i *interceptor) count() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.forged
}

// offForEverySequence says "power is off" in the old format, without a
// session, once for each of the 64 sequence numbers: no key is required for it.
func offForEverySequence() [][]byte {
	var packets [][]byte
	for sequence := range 64 {
		message := []byte{0x81, 0x04, 0, 0x20, byte(sequence << 2), 0x01, 0x00, 0x00, 0x00, 0x00}
		message[2] = -(message[0] + message[1])
		var sum byte
		for _, b := range message[3:] {
			sum += b
		}
		message = append(message, -sum)
		packet := []byte{0x06, 0x00, 0xff, 0x07, 0x00, 0, 0, 0, 0, 0, 0, 0, 0, byte(len(message))}
		packets = append(packets, append(packet, message...))
	}
	return packets
}

func inSession(answer []byte) bool {
	kind, _, ok := payload(answer)
	return ok && kind == payloadIPMI
}

func TestForgedAnswersAreNotBelieved(t *testing.T) {
	forgeries := map[string]func([]byte) [][]byte{
		"off in the old format, without a session": func(answer []byte) [][]byte {
			if !inSession(answer) {
				return nil
			}
			return offForEverySequence()
		},
		"an answer with one bit turned": func(answer []byte) [][]byte {
			if !inSession(answer) {
				return nil
			}
			answer[payloadAt+cipherBlock] ^= 1
			return [][]byte{answer}
		},
		"an answer cut short, which would break the parser": func(answer []byte) [][]byte {
			if !inSession(answer) {
				return nil
			}
			binary.LittleEndian.PutUint16(answer[lengthAt:], 8)
			return [][]byte{answer[:payloadAt+8], {0x06}, {}, answer[:payloadAt+10]}
		},
		"login answers twice": func(answer []byte) [][]byte {
			if inSession(answer) {
				return nil
			}
			return [][]byte{answer}
		},
	}
	for name, forge := range forgeries {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDriver(KindIPMI, Options{})
			b := startBMC(t, nil)
			b.SetFaults(bmc.Faults{Stuck: true})
			between := intercept(t, b.Address(), forge)
			result := d.Fence(within(t, 1500*time.Millisecond), requestFor(d, between.front.LocalAddr().String()))
			expect(t, result, fence.Refuted, "accepted our off command")
			if between.count() == 0 {
				t.Error("the test forged nothing")
			}
		})
	}
}
