import asyncio, time, pytest
from tests.chaos.test_traps import *
@pytest.mark.parametrize("n", range(12))
async def test_x(server, locker, raw, n):
    show = fresh_show(locker)
    log=[]
    with ReplyProxy(server.port) as proxy:
        async with AsyncSeatLocker.from_url(proxy.url) as hasty:
            await hasty.availability(show)
            t0=time.time()
            ex=hasty._client.execute_command
            async def noted(*a,**k):
                try:
                    r=await ex(*a,**k); log.append((a[0],"ok",r,time.time()-t0)); return r
                except BaseException as e:
                    log.append((a[0],repr(e),repr(e.__context__),time.time()-t0)); raise
            hasty._client.execute_command=noted
            fault = proxy.fall_silent("EVALSHA", "EVAL")
            task = asyncio.create_task(hasty.acquire(show, SEATS[:2], holder=HOLDER, ttl=0.2))
            assert await asyncio.to_thread(fault.wait)
            t1=time.time()-t0
            raw.pttl(lock_of(show, SEATS[0]))
            d=task.done(); c=task.cancel()
            try: x=await task
            except BaseException as e: x=repr(e)
            if not str(x).startswith("Canc"): open("/tmp/w/can.log","a").write(repr((t1,d,c,log))+"\n")
