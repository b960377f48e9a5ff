package server

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/pki"
)

// routesOfTheInterface lists every route, the least role that may take it, and whether a machine
// without a certificate may. A token decides about a join, not who shows it; nobody else may try.
var routesOfTheInterface = []struct {
	method, path string
	least        pki.Role
	joiners      bool
}{
	{"GET", api.PathStatus, pki.RoleViewer, false},
	{"GET", api.PathEvents, pki.RoleViewer, false},
	{"GET", api.PathMoves, pki.RoleViewer, false},
	{"GET", api.PathMetrics, pki.RoleViewer, false},
	{"POST", api.PathForesight, pki.RoleOperator, false},
	{"POST", api.PathRequests, pki.RoleOperator, false},
	{"GET", api.PathRequests + "/none", pki.RoleViewer, false},
	{"GET", api.PathConfig, pki.RoleAdmin, false},
	{"POST", api.PathConfig, pki.RoleAdmin, false},
	{"GET", api.PathHistory, pki.RoleAdmin, false},
	{"GET", api.PathComparison, pki.RoleAdmin, false},
	{"POST", api.PathRollback, pki.RoleAdmin, false},
	{"GET", api.PathAlerts, pki.RoleViewer, false},
	{"POST", api.PathAlerts, pki.RoleAdmin, false},
	{"POST", api.PathTokens, pki.RoleAdmin, false},
	{"POST", api.PathJoin, "", true}, // a token decides, not who shows it
	{"POST", api.PathNodes, pki.RoleOperator, false},
	{"POST", api.PathKeys, pki.RoleAdmin, false},
	{"POST", api.PathImport, pki.RoleAdmin, false},
	{"GET", api.PathDoctor, pki.RoleAdmin, false},
	{"GET", api.PathFence, pki.RoleViewer, false},
	{"POST", api.PathFence, pki.RoleAdmin, false},
	{"GET", api.PathFenceHistory, pki.RoleViewer, false},
	{"GET", api.PathBackup, pki.RoleAdmin, false},
	{"GET", api.PathAudit, pki.RoleAdmin, false},
	{"GET", api.PathDoor, pki.RoleAdmin, false},
	{"POST", api.PathClient, pki.RoleAdmin, false},
	{"GET", api.PathKeys, pki.RoleViewer, false},
	{"GET", api.PathLock, pki.RoleViewer, false},
	{"GET", api.PathServices + "/vm:none/why", pki.RoleViewer, false},
	{"GET", api.PathView, pki.RoleAdmin, false},
	{"GET", api.PathNodes + "/node1/plan?order=drain", pki.RoleViewer, false},
	{"GET", api.PathLock + "/plan", pki.RoleViewer, false},
	{"GET", api.PathWhatIf + "?down=node1", pki.RoleViewer, false},
	{"POST", api.PathWhatIf, pki.RoleAdmin, false},
	{"GET", api.PathReserve + "?hosts=1", pki.RoleViewer, false},
	{"POST", api.PathLock, pki.RoleOperator, false},
	{"POST", api.PathPage, pki.RoleViewer, false},
	{"POST", api.PathPageLogout, pki.RoleAdmin, false},
}

// onTheSocketAlone are asked by the doorkeeper and by who logs in or out at the page.
var onTheSocketAlone = []string{api.PathDoor, api.PathPage, api.PathPageLogout}

// callersOfTheInterface are all kinds of callers, with the role that each has; "" is none.
var callersOfTheInterface = []struct {
	who  Caller
	role pki.Role
}{
	{joiner, ""}, {viewer, pki.RoleViewer}, {anybody, pki.RoleViewer}, {operator, pki.RoleOperator},
	{rootUser, pki.RoleAdmin}, {Caller{Name: "admin eve", Kind: pki.KindClient, Role: pki.RoleAdmin}, pki.RoleAdmin},
	{Caller{}, ""}, {Caller{Name: "eve", Kind: pki.KindClient, Role: "archangel"}, ""},
	{Caller{Name: "eve", Kind: pki.KindClient, Socket: true}, ""},
}

// permissionDenied reports whether an answer refuses the caller for what it is.
func permissionDenied(code int, body []byte) bool {
	var failure api.Failure
	return code == http.StatusForbidden && json.Unmarshal(body, &failure) == nil && failure.Code == "permission_denied"
}

func TestWhoMayDoWhat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		routes := f.serve().Handler()
		for _, route := range routesOfTheInterface {
			for _, c := range callersOfTheInterface {
				may := c.role.Includes(route.least) && !route.joiners || route.joiners && c.who.Kind == pki.KindJoiner
				if slices.Contains(onTheSocketAlone, route.path) && !c.who.Socket {
					may = false // the doorkeeper, and who wants to log in at the page, ask on the socket
				}
				if may && route.method == "POST" && route.path != api.PathJoin {
					continue // it would be done
				}
				kept := len(f.kept)
				code, body := ask(t, routes, c.who, route.method, route.path, struct{}{})
				refused := permissionDenied(code, body)
				if refused == may {
					t.Errorf("%s %s by %+v: %d %s", route.method, route.path, c.who, code, body)
				}
				if refused && len(f.kept) != kept+1 {
					t.Errorf("%s %s by %+v was refused, and the trail does not tell", route.method, route.path, c.who)
				}
			}
		}
		if len(f.proposed) > 0 {
			t.Errorf("refused requests reached the log: %v", f.proposed)
		}
	})
}

func TestEveryRouteIsInTheTable(t *testing.T) {
	routes := newFake().serve().Handler().(*http.ServeMux)
	for _, route := range routesOfTheInterface {
		if _, pattern := routes.Handler(httptest.NewRequest(route.method, route.path, nil)); pattern == "" {
			t.Errorf("%s %s is no route", route.method, route.path)
		}
	}
	source, err := os.ReadFile("server.go")
	if err != nil {
		t.Fatal(err)
	}
	if inCode := strings.Count(string(source), "+ api.Path"); inCode != len(routesOfTheInterface) {
		t.Errorf("server.go has %d routes, the table of this test %d", inCode, len(routesOfTheInterface))
	}
}
