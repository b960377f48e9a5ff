package power

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/clusterd/clusterd/fence"
)

// What a BMC answers by Redfish, or says in an error.
func FuzzRedfishAnswer(f *testing.F) {
	f.Add([]byte(`{"@odata.id":"/redfish/v1/Systems/1","@odata.type":"#ComputerSystem.v1_0_0.ComputerSystem",` +
		`"PowerState":"On"}`))
	f.Add([]byte(`{"error":{"message":"no","@Message.ExtendedInfo":[{"MessageId":"x","Message":"y"}]}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var found system
		err := new(visit).learn("/redfish/v1/Systems/1", body)
		if json.Unmarshal(body, &found) == nil && err != nil {
			t.Errorf("%v, and a system all the same", err)
		}
		if words := wordsOf(body); len(words) > 2000 {
			t.Errorf("%d bytes of words", len(words))
		}
	})
}

// A packet that was not sealed with the password's key is never believed inside a session.
func FuzzSealedPacket(f *testing.F) {
	f.Add([]byte(strings.Repeat("\x06\x00\xff\x07\x06\xc0", 12)))
	f.Fuzz(func(t *testing.T, packet []byte) {
		s := newSeal(17, "secret")
		s.last, s.session = payloadRAKP3, 7
		s.derive(make([]byte, 16))
		if kind, body, ok := payload(packet); ok && kind == payloadIPMI && s.genuine(packet) {
			t.Errorf("a packet with %d bytes was believed", len(body))
		}
	})
}

func FuzzReadings(f *testing.F) {
	f.Add("Chassis Power is on")
	f.Fuzz(func(t *testing.T, text string) {
		if parsePower(text) == fence.PowerOff && !strings.Contains(strings.ToLower(text), "off") {
			t.Errorf("%q reads off", text)
		}
		if g, ok := parseGUID(text); !ok && g != (guid{}) {
			t.Errorf("%q is no GUID and gives %s", text, g)
		}
	})
}
