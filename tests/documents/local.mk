# What the documents name exists.
EXTRA_DIST += %D%/test_documents.py
TESTS += %D%/test_documents.py
