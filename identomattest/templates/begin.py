{{if .Company.RequireHMAC}}import base64, hashlib, hmac, json, time, urllib.request
{{else}}import json, time, urllib.request
{{end}}
def call(operation, **parameters):
    body = json.dumps({"company_key": {{literal .Company.CompanyKey}}, **parameters}).encode()
    headers = {"Content-Type": "application/json"}
{{- if .Company.RequireHMAC}}
    code = base64.b64encode(hmac.digest({{literal .Company.SecretKey}}.encode(), body, "sha256")).decode()
    headers["Authorization"] = f'signature="{code}"'
{{- end}}
    request = urllib.request.Request({{literal (print .Widget "/external-api/")}} + operation, body, headers)
    return json.load(urllib.request.urlopen(request))

token = call("begin/")
print({{literal (print .Widget "/?session_token=")}} + token)

while (result := call("result/", session_token=token))["result"] == "in_progress":
    time.sleep(1)

print(result["result"])
