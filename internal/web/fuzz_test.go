package web

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/clusterd/clusterd/internal/limits"
)

// FuzzLogin sends what somebody who is not let in may send as a login. Only the secret of a link
// that waits lets anybody in, and each answer is a small one.
func FuzzLogin(f *testing.F) {
	f.Add([]byte(`{"secret":"none"}`), "")
	f.Add([]byte(`{"secret":["`), cookieName+"=x")
	f.Add([]byte(`{"secret":"`+strings.Repeat("x", 2*loginBody)+`"}`), "")
	f.Add([]byte{0xff, 0}, cookieName+"="+strings.Repeat("y", 4096))
	f.Fuzz(func(t *testing.T, body []byte, cookie string) {
		n := newNode()
		if _, _, made := n.Invite(Visitor{Name: "root", Role: "admin"}, limits.Root, "uid 0"); !made {
			t.Fatal("no link was made")
		}
		r := httptest.NewRequest(http.MethodPost, pathLogin, bytes.NewReader(body))
		r.Header.Set("Cookie", cookie)
		w := httptest.NewRecorder()
		n.ServeHTTP(w, r)
		if w.Code/100 != 4 || w.Header().Get("Set-Cookie") != "" || w.Body.Len() > 1000 {
			t.Errorf("a login of %d bytes: %d, %d bytes, cookie %q", len(body), w.Code, w.Body.Len(),
				w.Header().Get("Set-Cookie"))
		}
	})
}

// FuzzCookie asks with what a browser, or nobody's browser, may send along. Without a visit's
// cookie nothing reaches the tools' interface.
func FuzzCookie(f *testing.F) {
	f.Add("", "", "/page/visit")
	f.Add(cookieName+"=;"+cookieName+"=x", "x", "/v1/status")
	f.Add(cookieName+`="\x1b"`, strings.Repeat("z", 8192), "/v1/status/../fence")
	f.Add("\x00=\n", "", "/page/stream")
	f.Fuzz(func(t *testing.T, cookie, word, path string) {
		n := newNode()
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			r := httptest.NewRequest(method, "/", http.NoBody)
			r.URL.Path = "/" + strings.TrimPrefix(path, "/")
			r.Header.Set("Cookie", cookie)
			r.Header.Set(csrfHeader, word)
			n.ServeHTTP(httptest.NewRecorder(), r)
		}
		if len(n.asked) > 0 || len(n.kept) > 2 {
			t.Errorf("it asked %v, and the trail has %v", n.asked, n.kept)
		}
	})
}

// FuzzLastEventID reads where a page goes on. What it says is a number of this life, or the page
// begins anew.
func FuzzLastEventID(f *testing.F) {
	for _, word := range []string{"", "life-7", "-", "a-b-c", "life-18446744073709551616", "life--1", "life-+1",
		"\x00-0"} {
		f.Add(word)
	}
	f.Fuzz(func(t *testing.T, word string) {
		r := httptest.NewRequest(http.MethodGet, pathStream, http.NoBody)
		r.Header.Set("Last-Event-ID", word)
		life, known := lastOf(r)
		if !strings.HasPrefix(word, life) || life == "" && known != 0 && !strings.HasPrefix(word, "-") {
			t.Errorf("%q is number %d of %q", word, known, life)
		}
	})
}
