"""The ledger for LangChain agents and chat models."""
