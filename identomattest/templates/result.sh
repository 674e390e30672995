{{- if .Company.RequireHMAC -}}
body={{shell .Body}}
curl {{.Widget}}/external-api/result/ -H "Content-Type: application/json" -d "$body" \
  -H "Authorization: signature=\"$(printf %s "$body" | openssl dgst -sha256 -hmac {{shell .Company.SecretKey}} -binary | base64)\""
{{- else -}}
curl {{.Widget}}/external-api/result/ {{field "company_key" .Company.CompanyKey}} {{field "session_token" .Token}}
{{- end}}
