package watchdog

import "testing"

// Whoever can write to the shared disk can write anything.
func FuzzSectors(f *testing.F) {
	good := Header{SectorSize: 512, Slots: 8}.encode()
	f.Add(good)
	f.Add(Mail{Command: 'o', From: "node1"}.encode(512))
	f.Fuzz(func(t *testing.T, sector []byte) {
		header, err := decodeHeader(sector)
		if err == nil && header.check(512) == nil && header.MsgWait > longestMsgWait {
			t.Errorf("%+v is taken", header)
		}
		full := make([]byte, max(512, len(sector)))
		copy(full, sector)
		if name := decodeNode(full); len(name) > 3*nameLength {
			t.Errorf("a name of %d bytes", len(name))
		}
		if mail := decodeMail(full); len(mail.From) > 3*nameLength {
			t.Errorf("a sender of %d bytes", len(mail.From))
		}
	})
}
