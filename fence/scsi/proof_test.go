package scsi

import (
	"fmt"
	"strings"
	"testing"
)

var judged = keySet{own: 0xb, victim: 0xa, known: map[Key]string{0xa: "a", 0xb: "b", 0xc: "c"}}

// TestJudge holds what a read-back proves; everything else is no proof.
func TestJudge(t *testing.T) {
	before := Reading{Generation: 4, Keys: []Key{0xa, 0xb, 0xc}, Holder: 0xa, Type: 5, Paths: 1}
	after := Reading{Generation: 5, Keys: []Key{0xb, 0xc}, Holder: 0xb, Type: 5, Paths: 1, Persistence: Persistent}
	with := func(change func(*Reading)) Reading {
		r := after
		change(&r)
		return r
	}
	gone := with(func(r *Reading) { r.Generation = 4 })
	for _, c := range []struct {
		name            string
		e               evidence
		proven, aborted bool
		why             string
	}{
		{"all agrees", evidence{before, after, accepted, false}, true, true, "was removed"},
		{"persistence untold", evidence{before, with(func(r *Reading) { r.Persistence = PersistenceUntold }), accepted,
			false}, true, true, ""},
		{"own path missing", evidence{before, with(func(r *Reading) { r.Paths = 2 }), accepted, false}, true, true, ""},
		{"key still there, accepted", evidence{before, with(func(r *Reading) { r.Keys = before.Keys }), accepted, false},
			false, false, "registered again"},
		{"key still there, conflict", evidence{before, before, conflict, false}, false, false, "still registered"},
		{"key on one of two paths", evidence{before, with(func(r *Reading) { r.Keys = []Key{0xb, 0xc, 0xa} }), accepted,
			false}, false, false, "again"},
		{"generation stood", evidence{before, gone, accepted, false}, false, false, "did not move"},
		{"preempt alone", evidence{before, after, unable, false}, false, false, "already sent"},
		{"absent from the start", evidence{gone, gone, conflict, false}, false, false, "nobody proved"},
		{"absent, aborted before", evidence{gone, gone, conflict, true}, true, true, ""},
		{"absent, aborted before, no answer", evidence{gone, gone, notTold, true}, true, true, ""},
		{"came back, then somebody preempted", evidence{before, after, conflict, true}, false, false, "nobody proved"},
		{"no answer, gone all the same", evidence{before, after, notTold, false}, false, false, "nobody proved"},
		{"own key gone", evidence{before, with(func(r *Reading) {
			r.Keys = []Key{0xc}
			r.Holder = 0xc
		}), accepted, false},
			false, true, "own key"},
		{"no reservation", evidence{before, with(func(r *Reading) {
			r.Holder = 0
			r.Type = 0
		}), accepted, false}, false,
			true, "no reservation"},
		{"other type", evidence{before, with(func(r *Reading) { r.Type = 1 }), accepted, false}, false, true, "type 1"},
		{"all registrants", evidence{before, with(func(r *Reading) { r.Type = 7 }), accepted, false}, false, true, "type 7"},
		{"kernel's number for the type", evidence{before, with(func(r *Reading) { r.Type = 3 }), accepted, false}, false,
			true, "type 3"},
		{"holder not registered", evidence{before, with(func(r *Reading) { r.Holder = 0xd }), accepted, false}, false, true,
			"not registered"},
		{"stranger", evidence{before, with(func(r *Reading) { r.Keys = []Key{0xb, 0xdd} }), accepted, false}, false, true,
			"no node"},
		{"forgetful", evidence{before, with(func(r *Reading) { r.Persistence = Forgetful }), accepted, false}, false, true,
			"APTPL"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cut := judge(c.e, judged)
			if cut.Proven != c.proven || cut.Aborted != c.aborted || !strings.Contains(cut.Why, c.why) {
				t.Errorf("%+v; want proven %v, aborted %v, %q", cut, c.proven, c.aborted, c.why)
			}
		})
	}
}

func TestKeys(t *testing.T) {
	seen := map[Key]string{}
	for _, cluster := range []string{"one", "two"} {
		for i := range 2000 {
			node := fmt.Sprintf("node%d", i)
			key := KeyOf(cluster, node)
			if key == 0 || seen[key] != "" {
				t.Fatalf("key %s of %s/%s is zero or also that of %s", key, cluster, node, seen[key])
			}
			seen[key] = cluster + "/" + node
		}
	}
	if KeyOf("a", "bc")>>32 == KeyOf("ab", "c")>>32 {
		t.Error("a key does not depend on where the cluster's name ends")
	}
	// The keys are on disks already: they may never change.
	if got := KeyOf("one", "node1").String(); got != "0x1be19564f4f5f451" {
		t.Errorf("key %s", got)
	}
}

func TestWireRefusesHalfAnAnswer(t *testing.T) {
	whole := reply{outcome: outDone, detail: "two\nlines", reading: Reading{Generation: 9, Keys: []Key{1, 2, 1},
		Holder: 2, Type: 5, Paths: 2, Persistence: Forgetful}}
	text := string(whole.encode())
	back, err := decodeReply(strings.NewReader(text))
	if err != nil || fmt.Sprint(back.reading) != fmt.Sprint(whole.reading) || back.detail != "two lines" ||
		back.reading.Persistence != Forgetful || back.reading.Paths != 2 {
		t.Fatalf("%+v, %v", back, err)
	}
	for cut := range len(text) - 2 {
		if p, err := decodeReply(strings.NewReader(text[:cut])); err == nil {
			t.Fatalf("cut at %d it reads as %+v", cut, p)
		}
	}
	for _, wrong := range []string{text + "key=0x1\n", "outcome=fine\nend=1\n", "end=1\n",
		"outcome=done\nkey=zz\nend=1\n", "outcome=done\nnonsense\nend=1\n", "outcome=done\nsize=1\nend=1\n"} {
		if p, err := decodeReply(strings.NewReader(wrong)); err == nil {
			t.Errorf("%q reads as %+v", wrong, p)
		}
	}
	q := request{operation: opPreemptAbort, device: "/dev/x", key: 1, victim: 1<<63 | 2}
	if got, err := decodeRequest(strings.NewReader(string(q.encode()))); err != nil || got != q {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestAnswersOfDisks(t *testing.T) {
	if g, keys, err := parseKeys([]byte{0, 0, 0, 7, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0,
		2}); g != 7 || err != nil || fmt.Sprint(keys) != fmt.Sprint([]Key{1, 2}) {
		t.Errorf("%d %v %v", g, keys, err)
	}
	for _, wrong := range [][]byte{nil, {0, 0, 0, 1, 0, 0, 0, 8, 1}, {0, 0, 0, 1, 0, 0, 0, 3, 1, 2, 3},
		{0, 0, 0, 1, 255, 255, 255, 248}} {
		if _, keys, err := parseKeys(wrong); err == nil {
			t.Errorf("%v reads as %v", wrong, keys)
		}
	}
	held := make([]byte, 24)
	held[3], held[7], held[15], held[21] = 3, 16, 0xa1, 5
	var r Reading
	if g, err := parseReservation(held, &r); g != 3 || err != nil || r.Holder != 0xa1 || r.Type != 5 {
		t.Errorf("%d %v %v", g, r, err)
	}
	if _, err := parseReservation(held[:20], &r); err == nil {
		t.Error("half a reservation was read")
	}
	page := []byte{0, 0x83, 0, 20, 1, 0x03, 0, 8, 0x50, 1, 2, 3, 4, 5, 6, 7, 2, 0x13, 0, 4, 1, 2, 3, 4}
	if got := parseDesignators(page); fmt.Sprint(got) != "[5001020304050607]" {
		t.Errorf("designators %v", got)
	}
	if key, code := senseOf([]byte{0x70, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x2a, 5}); key != 6 || code != 0x2a05 {
		t.Errorf("sense %d/%x", key, code)
	}
}
