package api

import (
	"context"
	"time"
)

// PathAlerts are the alerts of the document. GET -> Alerts; POST AlertTest -> AlertTested.
const PathAlerts = "/v1/alerts"

// Alerts tells how each alert fares, by name.
type Alerts struct {
	Alerts []Alert `json:"alerts"`
}

// Alert is one alert, without its secrets.
type Alert struct {
	Name string `json:"name"`
	// Way is the program or the address.
	Way string `json:"way"`
	// Teller is the node that tells it; empty while there is no leader.
	Teller string `json:"teller,omitempty"`
	// Sent, Failed and Dropped count events since the alert was declared: told,
	// given up after the last attempt, left out because too many waited.
	Sent    uint64 `json:"sent"`
	Failed  uint64 `json:"failed"`
	Dropped uint64 `json:"dropped"`
	// Index is that of the last event dealt with, At when that was noted.
	Index uint64    `json:"index"`
	At    time.Time `json:"at,omitzero"`
	// Problem says why the last event was not told, Since when that began.
	Problem string    `json:"problem,omitempty"`
	Since   time.Time `json:"since,omitzero"`
}

// AlertTest asks for one attempt with a made-up event.
type AlertTest struct {
	Name string `json:"name"`
	// By is who asked, where a node passes the test on.
	By string `json:"by,omitempty"`
}

// AlertTested says that it worked; what does not work is a Failure.
type AlertTested struct {
	Name   string        `json:"name"`
	Teller string        `json:"teller"`
	Took   time.Duration `json:"took"`
}

// longestAlertTest is longer than any alert's timeout.
const longestAlertTest = 2*time.Minute + answerWithin

// Alerts asks how the alerts fare.
func (c *Client) Alerts(ctx context.Context) (Alerts, error) {
	var list Alerts
	err := c.Get(ctx, PathAlerts, nil, &list)
	return list, err
}

// TestAlert tells an alert that it is tried. It takes as long as the alert's
// timeout allows.
func (c *Client) TestAlert(ctx context.Context, name string) (AlertTested, error) {
	var tested AlertTested
	err := c.callWithin(ctx, longestAlertTest, "POST", PathAlerts, nil, AlertTest{Name: name}, &tested)
	return tested, err
}
