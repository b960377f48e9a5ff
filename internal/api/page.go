package api

import (
	"context"
	"time"
)

// PageRequest asks for a link by which a person logs in at the page of the node that is asked.
type PageRequest struct {
	// Role is what the visitor may do: at most what who asks may. Empty is viewer.
	Role string `json:"role,omitempty"`
	// Name is who will log in, where that is somebody else; only an administrator gives one.
	Name string `json:"name,omitempty"`
}

// PageLink is a login link, good for one login.
type PageLink struct {
	// URL is secret until it was used.
	URL  string    `json:"url"`
	Ends time.Time `json:"ends"`
	Name string    `json:"name"`
	Role string    `json:"role"`
	// Fingerprint is the SHA-256 of the page's certificate in hex, as browsers show it.
	Fingerprint string `json:"fingerprint"`
}

// PageLogin asks for a login link.
func (c *Client) PageLogin(ctx context.Context, request PageRequest) (PageLink, error) {
	var link PageLink
	err := c.Post(ctx, PathPage, request, &link)
	return link, err
}

// PageLogout ends visits at the page of the node that is asked.
type PageLogout struct {
	// Name is whose visits end, with the login links that wait for him. Empty is everybody's.
	Name string `json:"name,omitempty"`
}

// PageLogoutReply tells what was ended.
type PageLogoutReply struct {
	Node string `json:"node"`
	// Visits is how many there were, and Links how many login links were waiting to be used.
	Visits int `json:"visits"`
	Links  int `json:"links"`
}

// PageLogout ends visits.
func (c *Client) PageLogout(ctx context.Context, request PageLogout) (PageLogoutReply, error) {
	var reply PageLogoutReply
	err := c.Post(ctx, PathPageLogout, request, &reply)
	return reply, err
}
