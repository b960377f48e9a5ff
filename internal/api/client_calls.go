package api

import (
	"context"
	"net/url"
)

// Config asks for the cluster document in force. Its passwords are masked.
func (c *Client) Config(ctx context.Context) (Document, error) {
	var document Document
	err := c.Get(ctx, PathConfig, nil, &document)
	return document, err
}

// ChangeConfig replaces the cluster document, or tells what that would do.
func (c *Client) ChangeConfig(ctx context.Context, change ConfigChange) (ConfigReply, error) {
	var reply ConfigReply
	err := c.Post(ctx, PathConfig, change, &reply)
	return reply, err
}

// Token asks for a join token.
func (c *Client) Token(ctx context.Context, request TokenRequest) (TokenReply, error) {
	var reply TokenReply
	err := c.Post(ctx, PathTokens, request, &reply)
	return reply, err
}

// ChangeKeys changes a key of the cluster.
func (c *Client) ChangeKeys(ctx context.Context, request KeysRequest) (Reply, error) {
	var reply Reply
	err := c.Post(ctx, PathKeys, request, &reply)
	return reply, err
}

// ChangeNodes removes a node.
func (c *Client) ChangeNodes(ctx context.Context, request NodeRequest) (Reply, error) {
	var reply Reply
	err := c.Post(ctx, PathNodes, request, &reply)
	return reply, err
}

// Import takes an existing VM of a node in.
func (c *Client) Import(ctx context.Context, request ImportRequest) (Reply, error) {
	var reply Reply
	err := c.Post(ctx, PathImport, request, &reply)
	return reply, err
}

// Doctor asks for the report of every node that can be asked.
func (c *Client) Doctor(ctx context.Context) (Report, error) {
	var report Report
	err := c.Get(ctx, PathDoctor, nil, &report)
	return report, err
}

// Fence asks how each node could be fenced.
func (c *Client) Fence(ctx context.Context) (FenceStatus, error) {
	var status FenceStatus
	err := c.Get(ctx, PathFence, nil, &status)
	return status, err
}

// FenceHistory asks for the fence intents that were closed; of one node, or of
// all when none is named.
func (c *Client) FenceHistory(ctx context.Context, node string) (FenceHistory, error) {
	var history FenceHistory
	err := c.Get(ctx, PathFenceHistory, url.Values{"node": {node}}, &history)
	return history, err
}

// FenceByHand cuts a node's power, or gives the word that it is off.
func (c *Client) FenceByHand(ctx context.Context, request FenceRequest) (Reply, error) {
	var reply Reply
	err := c.Post(ctx, PathFence, request, &reply)
	return reply, err
}

// Backup asks for the cluster's state. It holds secrets: write it 0600.
func (c *Client) Backup(ctx context.Context) ([]byte, error) {
	var content []byte
	err := c.Get(ctx, PathBackup, nil, &content)
	return content, err
}

// ClientCertificate asks for a certificate for remote tools.
func (c *Client) ClientCertificate(ctx context.Context, request ClientRequest) (ClientReply, error) {
	var reply ClientReply
	err := c.Post(ctx, PathClient, request, &reply)
	return reply, err
}
