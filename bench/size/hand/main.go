// Command hand begins a session and reads its result with only net/http and encoding/json. Its
// binary is the baseline for the size that the SDK adds. .ci/measure builds it and never runs
// it.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
)

func main() {
	body, _ := json.Marshal(map[string]any{"company_key": os.Args[1], "steps": []map[string]any{{"type": "liveness", "key": "liveness"}}})
	resp, err := http.Post("https://widget.identomat.com/external-api/begin/", "application/json", bytes.NewReader(body))
	if err != nil {
		panic(err)
	}
	var token string
	err = json.NewDecoder(resp.Body).Decode(&token)
	_ = resp.Body.Close()
	if err != nil {
		panic(err)
	}
	form := url.Values{"company_key": {os.Args[1]}, "session_token": {token}}.Encode()
	resp, err = http.Post("https://widget.identomat.com/external-api/result/", "application/x-www-form-urlencoded", strings.NewReader(form))
	if err != nil {
		panic(err)
	}
	var result struct {
		Result string `json:"result"`
	}
	err = json.NewDecoder(resp.Body).Decode(&result)
	_ = resp.Body.Close()
	fmt.Println(result.Result == "approved", err)
}
