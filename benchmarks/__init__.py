"""What a turn costs: turngraph beside a hand-written loop and LangChain's agent, on one local
server.
"""
