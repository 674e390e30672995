{{- if .Company.RequireHMAC -}}
body={{shell .Body}}
curl {{.Widget}}/external-api/begin/ -H "Content-Type: application/json" -d "$body" \
  -H "Authorization: signature=\"$(printf %s "$body" | openssl dgst -sha256 -hmac {{shell .Company.SecretKey}} -binary | base64)\""
{{- else -}}
curl {{.Widget}}/external-api/begin/ {{field "company_key" .Company.CompanyKey}}
{{- end}}
