package web

import (
	"crypto/subtle"
	"encoding/json"
	"net/http"
	"time"

	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/limits"
	"github.com/clusterd/clusterd/internal/lobby"
	"github.com/clusterd/clusterd/internal/pki"
)

const (
	// cookieName begins so that browsers take it over TLS alone, for this host alone.
	cookieName = "__Host-clusterd"
	// csrfHeader is what the page sends along with each change.
	csrfHeader = "X-Clusterd-Page"
	// loginBody bounds what a login may carry, and loginPatience how long it may take to arrive.
	loginBody     = 1 << 10
	loginPatience = 5 * time.Second
)

// told is what a page is told of its visit.
type told struct {
	Name string   `json:"name"`
	Role pki.Role `json:"role"`
	Node string   `json:"node"`
	// CSRF goes into the header of each change.
	CSRF string    `json:"csrf"`
	Ends time.Time `json:"ends"`
	// Others are the pages of the other nodes, by name.
	Others map[string]string `json:"others"`
}

// login uses a link up.
func (f *Front) login(w http.ResponseWriter, r *http.Request) {
	from, now := addressOf(r), f.options.Now()
	if f.knocks.Wait(from, now) > 0 || f.everybody.Wait("", now) > 0 {
		f.refused(r, limits.Browsers, "log in at the page too often")
		w.Header().Set("Connection", "close")
		fail(w, http.StatusTooManyRequests, "busy", "too many tries to log in came from here; wait a minute")
		return
	}
	// Where there are no deadlines, as in tests, the size is bound enough.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(loginPatience))
	var asked struct {
		Secret string `json:"secret"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, loginBody)).Decode(&asked); err != nil {
		fail(w, http.StatusBadRequest, "bad_request", "the login cannot be read")
		return
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
	began, cookie := f.visits.redeem(asked.Secret)
	if began == nil {
		f.refused(r, limits.Browsers, "log in at the page with a link that is none, was used, or is too old")
		fail(w, http.StatusForbidden, "bad_link", "this link was used before, is older than 5 minutes, or is another "+
			"node's. Make a new one on "+f.options.Node+": clusterd web login")
		return
	}
	http.SetCookie(w, &http.Cookie{Name: cookieName, Value: cookie, Path: "/", Secure: true, HttpOnly: true,
		SameSite: http.SameSiteStrictMode, MaxAge: int(longestVisit / time.Second)})
	f.options.Keep(api.AuditEntry{Who: began.peer().String(), From: from, Act: "log in", Result: api.ResultOK},
		brakeOf(began))
	lobby.Settle(r.Context(), kindOf(began), began.Name)
	answer(w, http.StatusOK, f.tell(began))
}

// logout ends a visit, and with it what it has open.
func (f *Front) logout(w http.ResponseWriter, r *http.Request, v *visit) {
	f.visits.leave(v)
	http.SetCookie(w, &http.Cookie{Name: cookieName, Path: "/", Secure: true, HttpOnly: true,
		SameSite: http.SameSiteStrictMode, MaxAge: -1})
	f.options.Keep(api.AuditEntry{Who: v.peer().String(), From: addressOf(r), Act: "log out", Result: api.ResultOK},
		brakeOf(v))
	answer(w, http.StatusOK, struct{}{})
}

func (f *Front) tellVisit(w http.ResponseWriter, _ *http.Request, v *visit) {
	answer(w, http.StatusOK, f.tell(v))
}

func (f *Front) tell(v *visit) told {
	return told{Name: v.Name, Role: v.Role, Node: f.options.Node, CSRF: v.csrf, Ends: v.ends, Others: f.options.Others()}
}

// visiting lets a request through that comes with a visit's cookie, and a change only with what
// another site cannot know.
func (f *Front) visiting(next func(http.ResponseWriter, *http.Request, *visit)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v := f.visitOf(r)
		if v == nil {
			fail(w, http.StatusUnauthorized, "not_logged_in",
				"you are not logged in at "+f.options.Node+"; make a link there: clusterd web login")
			return
		}
		if err := f.options.Admit(pki.ChannelPage, v.peer()); err != nil {
			fail(w, http.StatusForbidden, "permission_denied", "Permission denied: "+err.Error())
			return
		}
		lobby.Settle(r.Context(), kindOf(v), v.Name)
		sent := r.Header.Get(csrfHeader)
		if r.Method != http.MethodGet && subtle.ConstantTimeCompare([]byte(sent), []byte(v.csrf)) != 1 {
			f.refused(r, limits.Visitors, "a change without the page's own word")
			fail(w, http.StatusForbidden, "foreign", "Permission denied: this change did not come from the page; reload it")
			return
		}
		next(w, r, v)
	}
}

// kindOf is among whose connections a visitor's are.
func kindOf(v *visit) limits.Kind {
	if v.Role == pki.RoleAdmin {
		return limits.Admins
	}
	return limits.Visitors
}

// brakeOf is on whose brake what a visitor does counts; an administrator's acts are never left out.
func brakeOf(v *visit) limits.Kind {
	if v.Role == pki.RoleAdmin {
		return ""
	}
	return limits.Visitors
}

func (f *Front) visitOf(r *http.Request) *visit {
	cookie, err := r.Cookie(cookieName)
	if err != nil {
		return nil
	}
	return f.visits.of(cookie.Value)
}

// pass has the tools' interface answer, by the visitor's role.
func (f *Front) pass(w http.ResponseWriter, r *http.Request, v *visit) {
	// Streams have a way of their own, which counts their readers.
	r.Header.Del("Accept")
	f.options.Answer(w, r, v.peer(), addressOf(r))
}

// refused adds to the audit trail who was not let do something.
func (f *Front) refused(r *http.Request, kind limits.Kind, what string) {
	f.options.Keep(api.AuditEntry{Who: "somebody", From: addressOf(r), Act: what, Result: "refused"}, kind)
}

// addressOf is where a request came from: the address, or for IPv6 the /64, of which one machine
// has all the addresses.
func addressOf(r *http.Request) string { return limits.Network(r.RemoteAddr) }
