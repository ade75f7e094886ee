"""AUTH_MODE=local: no sign-in page is ever seen, and nobody but this machine is served."""

PAGE = {"accept": "text/html,*/*"}


async def test_a_deep_link_opens_signed_in(home):
    async with home.visit() as browser:
        assert (await browser.get("/user")).status_code == 401
        page = await browser.get("/thread/some-thread", headers=PAGE)
        assert page.status_code == 200
        me = await browser.get("/user")
        assert (me.status_code, me.json()["identifier"]) == (200, "local")


async def test_the_first_page_of_a_fresh_browser_is_the_one_it_asked_for(home):
    for path in ("/import", "/bin", "/archive", "/sessions", "/knowledge", "/assistants"):
        async with home.visit() as browser:
            page = await browser.get(path, headers=PAGE)
            assert page.status_code == 200, path
            assert (await browser.get("/user")).json()["identifier"] == "local"


async def test_the_sign_in_page_leads_home(home):
    async with home.visit() as browser:
        page = await browser.get("/login", headers=PAGE)
        assert (page.status_code, page.headers["location"]) == (303, "/")
        assert (await browser.get("/user")).status_code == 200


async def test_a_broken_cookie_is_replaced(home):
    async with home.visit() as browser:
        browser.cookies.set("access_token", "nonsense", domain="127.0.0.1")
        await browser.get("/", headers=PAGE)
        assert (await browser.get("/user")).status_code == 200


async def test_signing_out_and_opening_the_page_signs_in_again(home):
    async with home.visit() as browser:
        await browser.get("/", headers=PAGE)
        await browser.post("/logout")
        assert (await browser.get("/user")).status_code == 401
        await browser.get("/", headers=PAGE)
        assert (await browser.get("/user")).status_code == 200


async def test_other_machines_hosts_and_pages_are_refused(home):
    async with home.visit(address="192.168.1.7") as browser:
        assert (await browser.get("/", headers=PAGE)).status_code == 403
    async with home.visit(host="evil.example") as browser:
        assert (await browser.get("/", headers=PAGE)).status_code == 403
    async with home.visit() as browser:
        await browser.get("/", headers=PAGE)
        evil = {"origin": "http://evil.example"}
        for path in ("/project/threads", "/logout", "/project/thread/share"):
            assert (await browser.post(path, headers=evil, json={})).status_code == 403
