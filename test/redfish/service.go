package redfish

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	root         = "/redfish/v1"
	sessionsPath = root + "/SessionService/Sessions"
	systemsPath  = root + "/Systems"
	accountsPath = root + "/AccountService"
	resetAction  = "/Actions/ComputerSystem.Reset"
	resetInfo    = "/ResetActionInfo"
	// largestBody bounds what is read of a request.
	largestBody = 64 << 10
)

// document is a Redfish resource.
type document = map[string]any

func link(path string) document { return document{"@odata.id": path} }

func fault(message string) document {
	return document{"error": document{"code": "Base.1.8.GeneralError", "message": message,
		"@Message.ExtendedInfo": []document{{"MessageId": "Base.1.8.GeneralError", "Message": message}}}}
}

func (c *Controller) serve(w http.ResponseWriter, r *http.Request) {
	trouble := c.chassis.trouble()
	body, err := io.ReadAll(io.LimitReader(r.Body, largestBody))
	if err != nil {
		return
	}
	path := strings.TrimSuffix(r.URL.Path, "/")
	switch {
	case trouble.Hang, trouble.HangLogout && r.Method == http.MethodDelete:
		<-r.Context().Done()
		return
	case trouble.Redirect != "":
		http.Redirect(w, r, trouble.Redirect+r.URL.Path, http.StatusTemporaryRedirect)
		return
	case trouble.Garbage:
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<html><body>Welcome to the printer</body></html>")
		return
	}
	select {
	case <-time.After(trouble.Slow):
	case <-r.Context().Done():
		return
	}
	status, answer := c.answer(w, r, path, body)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("OData-Version", "4.0")
	w.WriteHeader(status)
	if status != http.StatusNoContent {
		_ = json.NewEncoder(w).Encode(answer)
	}
}

// answer routes one request. Only the root and the login are open to all.
func (c *Controller) answer(w http.ResponseWriter, r *http.Request, path string, body []byte) (int, document) {
	switch {
	case path == root:
		return http.StatusOK, document{"@odata.id": root + "/", "@odata.type": "#ServiceRoot.v1_9_0.ServiceRoot",
			"Id":   "RootService",
			"Name": "Root Service", "RedfishVersion": "1.11.0", "Systems": link(systemsPath),
			"SessionService": link(root + "/SessionService"), "Links": document{"Sessions": link(sessionsPath)}}
	case path == sessionsPath && r.Method == http.MethodPost:
		return c.account.login(w, body)
	case !c.account.knows(r):
		return http.StatusUnauthorized, fault("not authenticated")
	case strings.HasPrefix(path, sessionsPath+"/") && r.Method == http.MethodDelete:
		return c.account.logout(strings.TrimPrefix(path, sessionsPath+"/"))
	case path == systemsPath+"/1"+resetInfo:
		return http.StatusOK, document{"@odata.id": path, "@odata.type": "#ActionInfo.v1_3_0.ActionInfo",
			"Id":         "ResetActionInfo",
			"Parameters": []document{{"Name": "ResetType", "Required": true, "AllowableValues": c.options.ResetTypes}}}
	case c.options.Role != "" && strings.HasPrefix(path, accountsPath) && r.Method == http.MethodGet:
		return c.accountOf(path)
	case path == systemsPath:
		return http.StatusOK, c.collection()
	case strings.HasSuffix(path, resetAction) && r.Method == http.MethodPost:
		return c.reset(strings.TrimSuffix(path, resetAction), body)
	}
	if system, known := c.system(path); known && r.Method == http.MethodGet {
		return http.StatusOK, system
	}
	return http.StatusNotFound, fault("there is no " + path)
}

// accountOf answers for the accounts: one that belongs to somebody else, and the one that logs in.
func (c *Controller) accountOf(path string) (int, document) {
	const accounts, roles = accountsPath + "/Accounts", accountsPath + "/Roles/"
	switch path {
	case accounts:
		return http.StatusOK, document{"@odata.id": path, "Members": []document{link(accounts + "/1"), link(accounts + "/2")}}
	case accounts + "/1":
		return http.StatusForbidden, fault("this account is not yours")
	case accounts + "/2":
		return http.StatusOK, document{"@odata.id": path, "UserName": c.options.Username, "RoleId": c.options.Role,
			"Links": document{"Role": link(roles + c.options.Role)}}
	case roles + c.options.Role:
		return http.StatusOK, document{"@odata.id": path, "AssignedPrivileges": c.options.Privileges}
	}
	return http.StatusNotFound, fault("there is no " + path)
}

func (c *Controller) collection() document {
	members := []document{link(systemsPath + "/1")}
	for i := range c.options.Neighbours {
		members = append(members, link(systemsPath+"/"+strconv.Itoa(i+2)))
	}
	return document{"@odata.id": systemsPath, "@odata.type": "#ComputerSystemCollection.ComputerSystemCollection",
		"Name": "Systems", "Members@odata.count": len(members), "Members": members}
}

// system is the host itself, or a neighbour that nobody may touch.
func (c *Controller) system(path string) (document, bool) {
	number, err := strconv.Atoi(strings.TrimPrefix(path, systemsPath+"/"))
	if err != nil || number < 1 || number > len(c.options.Neighbours)+1 {
		return nil, false
	}
	system := document{"@odata.id": path, "@odata.type": "#ComputerSystem.v1_13_0.ComputerSystem",
		"Id": strconv.Itoa(number),
		"Actions": document{"#ComputerSystem.Reset": document{"target": path + resetAction,
			"ResetType@Redfish.AllowableValues": c.options.ResetTypes}}}
	if number > 1 {
		system["Name"], system["PowerState"] = c.options.Neighbours[number-2], "On"
		return system, true
	}
	system["Name"], system["PowerState"] = "System", c.chassis.state()
	if c.chassis.trouble().Mute {
		system["PowerState"] = nil
	}
	if c.options.ActionInfo {
		system["Actions"] = document{"#ComputerSystem.Reset": document{"target": path + resetAction,
			"@Redfish.ActionInfo": path + resetInfo}}
	}
	if c.options.HardwareUUID != "" {
		system["UUID"] = c.options.HardwareUUID
	}
	return system, true
}

func (c *Controller) reset(path string, body []byte) (int, document) {
	var asked struct{ ResetType string }
	if err := json.Unmarshal(body, &asked); err != nil || path != systemsPath+"/1" ||
		!slices.Contains(c.options.ResetTypes, asked.ResetType) {
		return http.StatusBadRequest, fault("this reset is not supported here")
	}
	status := c.chassis.reset(asked.ResetType)
	return status, fault("the command could not be carried out")
}

func (a *account) login(w http.ResponseWriter, body []byte) (int, document) {
	var asked struct{ UserName, Password string }
	err := json.Unmarshal(body, &asked)
	if err != nil || !a.matches(asked.UserName, asked.Password) {
		return http.StatusUnauthorized, fault("invalid credentials")
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.opened++
	number, token := strconv.Itoa(a.opened), rand.Text()
	a.sessions[number] = token
	w.Header().Set("X-Auth-Token", token)
	w.Header().Set("Location", sessionsPath+"/"+number)
	return http.StatusCreated, document{"@odata.id": sessionsPath + "/" + number, "@odata.type": "#Session.v1_2_1.Session",
		"Id": number, "Name": "User Session", "UserName": asked.UserName}
}

func (a *account) matches(username, password string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	given, right := fmt.Sprintf("%q %q", username, password), fmt.Sprintf("%q %q", a.username, a.password)
	if subtle.ConstantTimeCompare([]byte(given), []byte(right)) == 1 {
		return true
	}
	a.failed++
	return false
}

func (a *account) logout(number string) (int, document) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, open := a.sessions[number]; !open {
		return http.StatusNotFound, fault("there is no such session")
	}
	delete(a.sessions, number)
	close(a.changed)
	a.changed = make(chan struct{})
	return http.StatusNoContent, nil
}

// knows reports whether a request carries the token of an open session, or the password itself.
func (a *account) knows(r *http.Request) bool {
	if username, password, basic := r.BasicAuth(); basic {
		return a.matches(username, password)
	}
	given := r.Header.Get("X-Auth-Token")
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, token := range a.sessions {
		if given != "" && subtle.ConstantTimeCompare([]byte(token), []byte(given)) == 1 {
			return true
		}
	}
	return false
}
