"""Expand a SAM template into plain CloudFormation, as AWS does when it deploys.

    expand.py TEMPLATE > expanded.json

cfn-lint no longer does this itself, and some mistakes (a timeout that is too
long, a bad IAM action) can only be seen in the expanded form. No AWS account is
asked: managed policies are not resolved, since the template names none by their
short name, and code that is not uploaded yet is given a made-up place.
"""

import json
import logging
import os
import sys

from cfnlint.decode import cfn_yaml
from samtranslator.public.exceptions import InvalidDocumentException
from samtranslator.public.translator import ManagedPolicyLoader
from samtranslator.translator.transform import transform

FUNCTION = "AWS::Serverless::Function"


class NoManagedPolicies(ManagedPolicyLoader):
    """Answers that there are none, without asking IAM."""

    def __init__(self):
        super().__init__(None)

    def load(self):
        return {}


def expand(path):
    template = json.loads(json.dumps(cfn_yaml.load(path), default=str))
    defaults = template.get("Globals", {}).get("Function", {})
    defaults.pop("CodeUri", None)
    for resource in template["Resources"].values():
        if resource["Type"] == FUNCTION:
            resource["Properties"]["CodeUri"] = "s3://code/function.zip"
    return transform(template, {}, NoManagedPolicies())


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    os.environ.setdefault("AWS_DEFAULT_REGION", "eu-central-1")
    logging.getLogger("samtranslator").setLevel(logging.ERROR)
    try:
        expanded = expand(sys.argv[1])
    except InvalidDocumentException as error:
        sys.exit("\n".join(cause.message for cause in error.causes))
    json.dump(expanded, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
