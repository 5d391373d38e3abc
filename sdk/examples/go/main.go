// A streaming chat over server-sent events, with the standard library alone:
// PARLEY_URL=http://localhost:3000 PARLEY_EMAIL=ada@example.com PARLEY_PASSWORD=… go run . "What is a monad?"
package main

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strings"
	"time"
	"unicode/utf16"
)

type object = map[string]any

// event is the data of a server-sent event.
type event struct {
	Type, Part, Text string
	Offset           int
	Message          struct{ Role, Content string }
}

type client struct {
	server string
	tokens struct {
		Access    string        `json:"access_token"`
		Refresh   string        `json:"refresh_token"`
		ExpiresIn time.Duration `json:"expires_in"`
	}
	expiresAt   time.Time
	lastEventID string
	text        []uint16 // Offsets count UTF-16 code units; Go's strings are UTF-8.
	printed     int
}

// request returns an error where repeating it may help, and ends the program where it does not.
func (c *client) request(method, path string, body object, header http.Header) (*http.Response, error) {
	if !strings.HasPrefix(path, "/auth/") {
		if time.Until(c.expiresAt) < time.Minute {
			if err := c.authenticate("/auth/refresh", object{"refresh_token": c.tokens.Refresh}); err != nil {
				return nil, err
			}
		}
		header.Set("Authorization", "Bearer "+c.tokens.Access)
	}
	encoded, _ := json.Marshal(body)
	header.Set("Content-Type", "application/json")
	request, _ := http.NewRequest(method, c.server+path, bytes.NewReader(encoded))
	request.Header = header
	response, err := http.DefaultClient.Do(request)
	if err != nil || response.StatusCode < 400 {
		return response, err
	}
	problem, _ := io.ReadAll(response.Body)
	response.Body.Close()
	if response.StatusCode != 429 && response.StatusCode < 500 {
		log.Fatal(string(problem))
	}
	return nil, errors.New(string(problem))
}

func (c *client) authenticate(path string, body object) error {
	response, err := c.request("POST", path, body, http.Header{})
	if err != nil {
		return err
	}
	defer response.Body.Close()
	err = json.NewDecoder(response.Body).Decode(&c.tokens)
	c.expiresAt = time.Now().Add(c.tokens.ExpiresIn * time.Second)
	return err
}

// chat repeats a send, under one client_message_id, until it is answered; then it resumes after the last event received.
func (c *client) chat(path, content string) {
	id := make([]byte, 16)
	_, _ = rand.Read(id)
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	uuid := fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
	body := object{"content": content, "client_message_id": uuid}
	for ; ; time.Sleep(time.Second) {
		method, events, header := "POST", path+"/messages", http.Header{"Accept": {"text/event-stream"}}
		if c.lastEventID != "" {
			method, events = "GET", path+"/events"
			header.Set("Last-Event-ID", c.lastEventID)
		}
		if response, err := c.request(method, events, body, header); err == nil && c.read(response) {
			return
		}
	}
}

// read applies events until the reply is complete (true), or the stream breaks off or has a gap.
func (c *client) read(response *http.Response) bool {
	defer response.Body.Close()
	id := c.lastEventID
	for lines := bufio.NewReader(response.Body); ; {
		line, err := lines.ReadString('\n')
		field, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		var next event
		switch {
		case field == "id":
			id = value
		case err != nil, field == "data" && (json.Unmarshal([]byte(value), &next) != nil || !c.apply(next)):
			return false
		case field == "data":
			c.lastEventID = id
		}
		if next.Type == "message.completed" {
			return true
		}
	}
}

// apply returns false where text is missing before the offset.
func (c *client) apply(next event) bool {
	if next.Type == "message.delta" && next.Part == "content" {
		if next.Offset > len(c.text) {
			return false
		}
		c.text = append(c.text[:next.Offset], utf16.Encode([]rune(next.Text))...)
	} else if next.Message.Role == "assistant" {
		c.text = utf16.Encode([]rune(next.Message.Content))
	}
	fmt.Print(string(utf16.Decode(c.text[min(c.printed, len(c.text)):])))
	c.printed = len(c.text)
	return true
}

func main() {
	c := &client{server: os.Getenv("PARLEY_URL")}
	credentials := object{"email": os.Getenv("PARLEY_EMAIL"), "password": os.Getenv("PARLEY_PASSWORD")}
	if err := c.authenticate("/auth/login", credentials); err != nil {
		log.Fatal(err)
	}
	var conversation struct{ ID int64 }
	response, err := c.request("POST", "/conversations/create", object{}, http.Header{})
	if err != nil {
		log.Fatal(err)
	}
	_ = json.NewDecoder(response.Body).Decode(&conversation)
	c.chat(fmt.Sprintf("/conversations/%d", conversation.ID), strings.Join(os.Args[1:], " "))
}
