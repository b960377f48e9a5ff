package cluster

import "testing"

// Entries come from other members. What decodes can be encoded, and says the same again.
func FuzzDecode(f *testing.F) {
	good, err := Encode([]Command{Init{Cluster: "a", ID: "b"}, LockCluster{By: "root"}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`[{"v":1,"kind":"no-such-command","body":{}}]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		commands, err := Decode(data)
		if err != nil {
			return
		}
		again, err := Encode(commands)
		if err != nil {
			t.Fatalf("what was decoded cannot be encoded: %v", err)
		}
		if twice, err := Decode(again); err != nil || len(twice) != len(commands) {
			t.Errorf("%d commands became %d: %v", len(commands), len(twice), err)
		}
	})
}
