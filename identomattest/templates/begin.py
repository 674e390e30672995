import base64, hashlib, hmac, json, time, urllib.request #! signed
import json, time, urllib.request #! unsigned

def call(operation, **parameters):
    body = json.dumps({"company_key": "{COMPANY_KEY}", **parameters}).encode()
    headers = {"Content-Type": "application/json"}
    code = base64.b64encode(hmac.digest("{SECRET_KEY}".encode(), body, "sha256")).decode() #! signed
    headers["Authorization"] = f'signature="{code}"' #! signed
    request = urllib.request.Request("{WIDGET}/external-api/" + operation, body, headers)
    return json.load(urllib.request.urlopen(request))

token = call("begin/")
print("{WIDGET}/?session_token=" + token)

while (result := call("result/", session_token=token))["result"] == "in_progress":
    time.sleep(1)

print(result["result"])
