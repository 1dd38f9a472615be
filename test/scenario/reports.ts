/** A tool that reads what is kept of one customer in a bucket, and the rules that let it. */

export const TOOL = `
name: reports.read
title: Read the reports of a customer
target: reports
connector: aws-sts
groups: [reports]
risk: low
sender_constraint: none
arguments:
  type: object
  required: [customer]
  properties: { customer: { type: string, maxLength: 60 } }
facts: { kind: arguments, fields: { customer: customer } }
grant:
  statements:
    - actions: [s3:GetObject]
      resources: [{ arn: 'arn:aws:s3:::reports/', argument: customer, then: /* }]
`
export const RULES = `
@id("reports-are-read")
permit (principal, action == Action::"reports.read", resource) when { context.purpose == "reporting" };
@id("anybody-consents-to-reports")
permit (principal, action == Action::"consent", resource in ToolGroup::"reports");
`
